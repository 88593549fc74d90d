"""A stored run, open for queries: SQL over its committed parts, and tables by kind of fact."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from cosim.errors import InputError, RunError, one_line
from cosim.parquet import open_literally
from cosim.scenario.schema import Scenario, known_part, scenario_model
from cosim.trace.facts.codes import code_names, code_tables
from cosim.trace.store.integrity import check_parts
from cosim.trace.store.layout import Layout, kind_name, known_layouts, stored_layout
from cosim.trace.store.manifest import Manifest, read_manifest
from cosim.trace.store.nulls import NULLS_SINCE, sql_with_nulls
from cosim.trace.store.provenance import Provenance, read_provenance
from cosim.trace.store.sql_problem import ONE_SELECT, sql_problem
from cosim.trace.store.standing import unfinished

_SQL_TYPES = {
    "<f8": "DOUBLE",
    "<f4": "FLOAT",
    "<i8": "BIGINT",
    "<i4": "INTEGER",
    "<i2": "SMALLINT",
    "<i1": "TINYINT",
    "O": "VARCHAR",
}
_NULLABLE = {"<i8": "Int64", "<i4": "Int32", "<i2": "Int16", "<i1": "Int8"}
"""Types of pandas for integers that can be null."""

_OF_FILES: Final = (duckdb.IOException, duckdb.InvalidInputException, duckdb.InternalException, duckdb.FatalException)
"""What a query raises that a damaged file makes fail, and `duckdb.Error` itself."""

_PATTERN: Final = re.compile(r"[*?\[\\]")


class Trace:
    """A run folder behind an in-memory database with one view for each kind of fact, for example `task_ended`.

    The views have `seq` and the fact's columns; order by time_s, then seq. What did not happen is NULL, in runs of
    every schema, and so is a column that a run of an older schema does not have. A kind that no installed package
    brings has a view too, by the schema in its files. `status_name(status)` and the like give names for codes
    (`cosim.trace.facts.codes`). Queries can read the run folder and nothing else. They run on one thread: otherwise the
    last digit of a sum of floats would depend on the order of threads.

        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> import cosim
        >>> loaded = cosim.load("per_task", ["duration_s=1", "statistics.warmup_s=0", "mobility.vehicles=10"])
        >>> with TemporaryDirectory() as folder:
        ...     result = cosim.simulate(loaded, Path(folder))
        ...     with cosim.Trace.open(result.folder) as trace:
        ...         ended = trace.sql("SELECT time_s, status_name(status) AS status FROM task_ended")
        >>> "COMPLETED" in set(ended.status)
        True

    Attributes:
        run: the run folder.
        manifest: committed files of the run, with their hashes.
        layouts: columns of each kind.
        unfinished: what is to be said of a run that was not closed; "" for one that was.
    """

    def __init__(self, run: Path, manifest: Manifest) -> None:
        self.run = run
        self.manifest = manifest
        self.unfinished = unfinished(run, manifest)
        self.layouts = _layouts(run, manifest)
        """Where the columns of each kind lie, known here or not."""
        self._today = known_layouts()
        self._link: TemporaryDirectory[str] | None = None
        self._home = self._plainly_named(run.resolve())
        self._database = duckdb.connect(":memory:", config={"threads": 1})
        self._asking = ThreadPoolExecutor(max_workers=1)
        self._prepare()

    @classmethod
    def open(cls, run: Path, manifest: Manifest | None = None) -> "Trace":
        """Open a run folder.

        Args:
            run: the run folder.
            manifest: its manifest, if that was read before.

        Raises:
            InputError: no run folder, one of another schema, one whose manifest was changed, or one with a lost or
                broken part.
        """
        known = read_manifest(run) if manifest is None else manifest
        try:
            return cls(run, known)
        except duckdb.OutOfMemoryException as error:
            raise MemoryError(str(error)) from error
        except (duckdb.Error, OSError, pa.ArrowException, ValueError) as error:
            raise _lost(run, one_line(str(error).strip().partition("\n")[0])) from error

    def _plainly_named(self, home: Path) -> Path:
        """Return the run folder, or a link to it where DuckDB would take its name for a pattern."""
        if not _PATTERN.search(str(home)):
            return home
        self._link = TemporaryDirectory(prefix="cosim-")
        link = Path(self._link.name) / "run"
        link.symlink_to(home)
        return link

    def _prepare(self) -> None:
        made = [f"CREATE VIEW {quoted(stored.kind)} AS {self._source(stored)}" for stored in self.layouts.values()]
        for name, codes in code_tables().items():
            cases = " ".join(f"WHEN {code} THEN {_quoted(said)}" for code, said in code_names(codes).items())
            made.append(f"CREATE MACRO {name}_name(code) AS CASE code {cases} END")
        # Locked last: no query may read another file or undo these settings.
        made += [
            f"SET allowed_directories = [{_quoted(f'{self._home}/')}]",
            "SET enable_external_access = false",
            "SET lock_configuration = true",
        ]
        self._database.execute("; ".join(made))

    def _source(self, stored: Layout) -> str:
        files = [_quoted(str(self._home / part.file)) for part in self.manifest.parts if part.kind == stored.kind]
        types = {"seq": "BIGINT", **{name: _SQL_TYPES[column.code] for name, column in stored.columns.items()}}
        today = self._today.get(stored.kind, stored).columns
        later = {name: _SQL_TYPES[column.code] for name, column in today.items() if name not in types}
        if not files:
            empty = ", ".join(
                f"CAST(NULL AS {sql_type}) AS {quoted(name)}" for name, sql_type in {**types, **later}.items()
            )
            return f"SELECT {empty} WHERE false"
        # A name may be a word of SQL, and a file may have it in other letters, which SQL would keep.
        names = {name: f"{quoted(name)} AS {quoted(name)}" for name in types}
        if self.manifest.schema_version < NULLS_SINCE:
            names.update({name: sql_with_nulls(quoted(name), column) for name, column in stored.columns.items()})
        names.update({name: f"CAST(NULL AS {sql_type}) AS {quoted(name)}" for name, sql_type in later.items()})
        return f"SELECT {', '.join(names.values())} FROM read_parquet([{', '.join(files)}], hive_partitioning = false)"

    @property
    def complete_to_s(self) -> float:
        """Simulated time in s before which every fact is there."""
        return self.manifest.complete_to_s

    @property
    def complete(self) -> bool:
        """Whether the run reached its end."""
        return self.manifest.state == "complete"

    @property
    def provenance(self) -> Provenance:
        """The content of provenance.json: scenario, versions, machine, digest.

        Raises:
            InputError: there is none, it is broken or was changed, or it is that of another run.
        """
        return read_provenance(self.run, self.manifest)

    @property
    def scenario(self) -> Scenario:
        """The scenario of the run.

        Raises:
            InputError: provenance.json is missing, broken, changed, or that of another run.
        """
        try:
            known, _ = known_part(self.provenance.scenario)
            return scenario_model().model_validate_json(json.dumps(known))
        except ValueError as error:
            raise InputError(
                f"{self.run / 'provenance.json'}: its scenario is not valid ({' '.join(str(error).split())})"
            ) from error

    def sql(self, query: str) -> pd.DataFrame:
        """Return the answer to one SELECT over the views.

        A null is NaN in a column of floats; a column of integers with a null has a nullable type of pandas, such as
        Int32, in which it is NA.

        Raises:
            InputError: the query is wrong, is no SELECT, or reaches outside the run.
        """
        try:
            statements = self._database.extract_statements(query)
            if [statement.type for statement in statements] != [duckdb.StatementType.SELECT]:
                raise InputError(f"SQL: {ONE_SELECT}")
            return self._answer(statements[0])
        except duckdb.Error as error:
            damage = self._of_damage() if isinstance(error, _OF_FILES) or type(error) is duckdb.Error else None
            if damage is not None:
                raise damage from error
            columns = {kind: ("seq", *stored.columns) for kind, stored in self.layouts.items()}
            stored = [kind for kind in self.kinds if kind in self.manifest.kinds]
            raise InputError(f"SQL: {one_line(sql_problem(str(error), query, columns, stored))}") from error

    def _answer(self, statement: Any) -> pd.DataFrame:
        """Ask in a thread, because DuckDB does not hear Ctrl-C while it waits for threads of its own."""
        asked = self._asking.submit(lambda: self._database.execute(statement).df())
        try:
            answer: pd.DataFrame = asked.result()
        except KeyboardInterrupt:
            self._database.interrupt()
            raise
        return answer

    @property
    def kinds(self) -> list[str]:
        """Names of the views, one for each kind of fact."""
        return list(self.layouts)

    def table(self, fact: type[Any]) -> pd.DataFrame:
        """Return all facts of one kind in order of time, then of recording.

        Integers that can be null have a nullable type of pandas, such as Int32, whether or not a row has a null.
        """
        kind = kind_name(fact)
        rows = self.sql(f"SELECT * FROM {quoted(kind)} ORDER BY time_s, seq")
        stored = self.layouts[kind].columns
        nullable = {name for name, column in stored.items() if column.absent is not None and column.code in _NULLABLE}
        return rows.astype({name: _NULLABLE[stored[name].code] for name in nullable})

    def close(self) -> None:
        """Close the database and end its thread."""
        self._asking.shutdown()
        self._database.close()
        if self._link is not None:
            self._link.cleanup()

    def __enter__(self) -> "Trace":
        return self

    def __exit__(self, _sort: object, error: BaseException | None, _traceback: object) -> None:
        """Close; if a reader has failed at what it did not expect, say so in one line where a part is to blame.

        Raises:
            InputError: a part does not hold what was written.
        """
        self.close()
        if isinstance(error, Exception) and not isinstance(error, InputError | RunError | OSError):
            damage = self._of_damage()
            if damage is not None:
                raise damage from error

    def _of_damage(self) -> InputError | None:
        """Return the error of a run with a damaged part; None if all parts hold what was written."""
        found = check_parts(self.run, self.manifest).findings
        return _lost(self.run, str(found[0])) if found else None


def _lost(run: Path, reason: str) -> InputError:
    return InputError(f"{run}: a part is lost or broken ({reason}); see `cosim trace verify {run}`")


def _layouts(run: Path, manifest: Manifest) -> dict[str, Layout]:
    """Return the layouts of all kinds that this installation knows, then of those described only by their own files."""
    found = known_layouts(manifest.schema_version)
    for part in manifest.parts:
        path = run / part.file
        if path.is_symlink() or not path.is_file():  # a link may leave the folder, and opening a pipe would never end
            raise ValueError(f"{part.file} is missing, a link, or no file")
        if part.kind not in found:
            with open_literally(run / part.file) as file:
                found[part.kind] = stored_layout(part.kind, pq.read_schema(file))
    return found


def quoted(text: str) -> str:
    """Return the name of a kind or column, quoted for SQL, of which it may be a reserved word."""
    return '"' + text.replace('"', '""') + '"'


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"

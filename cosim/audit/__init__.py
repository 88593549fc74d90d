"""Does a stored run add up? Its rules by subject, and the ledger hashed again from its rows."""

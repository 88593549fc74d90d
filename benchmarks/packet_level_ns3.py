"""Files over ns-3's LTE module, packet by packet: makes the numbers that `packet_level.py` sets cosim beside.

    python -m venv ns3 && ns3/bin/pip install ns3    # 3.44; compiles cppyy, some minutes; an environment of its own
    ns3/bin/python benchmarks/packet_level_ns3.py table --out table.json
    ns3/bin/python benchmarks/packet_level_ns3.py mixed --out mixed.json
    ns3/bin/python benchmarks/packet_level_ns3.py poisson --out poisson.json     # half an hour

One cell of 20 MHz: 100 resource blocks, users at 23 dBm without power control, base station at 30 dBm with a noise
figure of 5 dB (users: 9 dB), path loss 40 dB + 30 log10(d / 1 m), no fading, round robin, RLC UM without loss,
modulation and coding after Piro et al. (European Wireless 2010). A file is a burst of UDP packets of 1250 bytes; its
time ends with the last byte at a host behind the core network, whose wires have no delay (downlink: at the user). ns-3
prints harmless messages about symbols as it starts. Needs nothing but ns-3 and the standard library.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

PACKET_BYTE = 1250
DISTANCES_M = (50.0, 100.0, 150.0, 200.0, 300.0, 400.0, 500.0)
USERS = (1, 2, 4, 8)
BITS = (100_000, 1_000_000)
TOGETHER_S = 1.0
"""Files that begin together do so once all users are connected."""
POISSON = Path(__file__).parent / "data" / "lte_uplink_poisson.json"

CODE = r"""
using namespace ns3;
struct Files { std::vector<double> start, time; uint32_t bytes = 0; };
std::map<uint16_t, Files> g_files;
uint32_t g_goal = 0;

void Received(uint16_t port, Ptr<const Packet> packet, const Address&) {
  Files& files = g_files[port];
  files.bytes += packet->GetSize();
  size_t done = files.time.size();
  if (files.bytes >= (done + 1) * g_goal)
    files.time.push_back(Simulator::Now().GetSeconds() - files.start[done]);
}

void Send(uint16_t port, Ptr<Socket> socket, uint32_t packets, uint32_t size) {
  g_files[port].start.push_back(Simulator::Now().GetSeconds());
  for (uint32_t k = 0; k < packets; k++) socket->Send(Create<Packet>(size));
}

// Seconds of each file, by user and then in order of time; a file that had not arrived by `seconds` is left out.
std::vector<std::vector<double>> SendFiles(std::vector<double> distances, std::vector<double> times,
                                           std::vector<int> who, uint32_t packets, uint32_t size, bool down,
                                           bool blocks, double seconds) {
  g_files.clear();
  g_goal = packets * size;
  Config::SetDefault("ns3::LteEnbRrc::SrsPeriodicity", UintegerValue(80));
  Config::SetDefault("ns3::LteAmc::AmcModel", EnumValue(blocks ? LteAmc::MiErrorModel : LteAmc::PiroEW2010));
  Config::SetDefault("ns3::LteUePhy::TxPower", DoubleValue(23.0));
  Config::SetDefault("ns3::LteUePhy::EnableUplinkPowerControl", BooleanValue(false));
  Config::SetDefault("ns3::LteRlcUm::MaxTxBufferSize", UintegerValue(1 << 30));
  Config::SetDefault("ns3::LteEnbRrc::EpsBearerToRlcMapping", EnumValue(LteEnbRrc::RLC_UM_ALWAYS));
  Ptr<LteHelper> lte = CreateObject<LteHelper>();
  Ptr<PointToPointEpcHelper> core = CreateObject<PointToPointEpcHelper>();
  lte->SetEpcHelper(core);
  lte->SetSchedulerType("ns3::RrFfMacScheduler");
  lte->SetAttribute("PathlossModel", StringValue("ns3::LogDistancePropagationLossModel"));
  lte->SetPathlossModelAttribute("Exponent", DoubleValue(3.0));
  lte->SetPathlossModelAttribute("ReferenceLoss", DoubleValue(40.0));
  lte->SetEnbDeviceAttribute("UlBandwidth", UintegerValue(100));
  lte->SetEnbDeviceAttribute("DlBandwidth", UintegerValue(100));
  NodeContainer station, users, host;
  station.Create(1);
  users.Create(distances.size());
  host.Create(1);
  MobilityHelper places;
  places.SetMobilityModel("ns3::ConstantPositionMobilityModel");
  places.Install(station);
  places.Install(users);
  places.Install(host);
  station.Get(0)->GetObject<MobilityModel>()->SetPosition(Vector(0, 0, 0));
  for (size_t k = 0; k < distances.size(); k++)
    users.Get(k)->GetObject<MobilityModel>()->SetPosition(Vector(distances[k], 0.1 * k, 0));
  InternetStackHelper internet;
  internet.Install(host);
  PointToPointHelper wire;
  wire.SetDeviceAttribute("DataRate", StringValue("100Gb/s"));
  wire.SetChannelAttribute("Delay", StringValue("0ms"));
  wire.SetDeviceAttribute("Mtu", UintegerValue(1500));
  NetDeviceContainer ends = wire.Install(core->GetPgwNode(), host.Get(0));
  Ipv4AddressHelper addresses;
  addresses.SetBase("1.0.0.0", "255.0.0.0");
  Ipv4InterfaceContainer wired = addresses.Assign(ends);
  Ipv4StaticRoutingHelper routing;
  routing.GetStaticRouting(host.Get(0)->GetObject<Ipv4>())
      ->AddNetworkRouteTo(Ipv4Address("7.0.0.0"), Ipv4Mask("255.0.0.0"), 1);
  NetDeviceContainer cell = lte->InstallEnbDevice(station), radios = lte->InstallUeDevice(users);
  internet.Install(users);
  Ipv4InterfaceContainer radio = core->AssignUeIpv4Address(radios);
  std::vector<Ptr<Socket>> sockets;
  for (size_t k = 0; k < distances.size(); k++) {
    routing.GetStaticRouting(users.Get(k)->GetObject<Ipv4>())
        ->SetDefaultRoute(core->GetUeDefaultGatewayAddress(), 1);
    lte->Attach(radios.Get(k), cell.Get(0));
    uint16_t port = 5000 + k;
    Ptr<Node> from = down ? host.Get(0) : users.Get(k), to = down ? users.Get(k) : host.Get(0);
    PacketSinkHelper sink("ns3::UdpSocketFactory", InetSocketAddress(Ipv4Address::GetAny(), port));
    ApplicationContainer listening = sink.Install(to);
    listening.Start(Seconds(0));
    DynamicCast<PacketSink>(listening.Get(0))->TraceConnectWithoutContext("Rx", MakeBoundCallback(&Received, port));
    Ptr<Socket> socket = Socket::CreateSocket(from, UdpSocketFactory::GetTypeId());
    socket->Connect(InetSocketAddress(down ? radio.GetAddress(k) : wired.GetAddress(1), port));
    sockets.push_back(socket);
  }
  for (size_t k = 0; k < times.size(); k++)
    Simulator::Schedule(Seconds(times[k]), &Send, uint16_t(5000 + who[k]), sockets[who[k]], packets, size);
  Simulator::Stop(Seconds(seconds));
  Simulator::Run();
  Simulator::Destroy();
  std::vector<std::vector<double>> found;
  for (size_t k = 0; k < distances.size(); k++) found.push_back(g_files[5000 + k].time);
  return found;
}
"""


def sent_s(
    distances_m: list[float],
    times_s: list[float],
    users: list[int],
    bits: int,
    *,
    down: bool = False,
    block_errors: bool = False,
    more_s: float = 20.0,
) -> list[list[float]]:
    """Return the seconds of each user's files, in order of time; files that did not arrive are left out.

    Args:
        distances_m: of each user to the base station.
        times_s: when each file begins, ascending; users are connected after 1 s.
        users: whose file each is.
        bits: of each file, without headers; whole packets.
        down: from the host to the users.
        block_errors: downlinks choose modulation and coding for a block error rate of 10 %, as by default in ns-3, and
            not for a bit error rate of 5e-5 (Piro et al.), for which ns-3 chooses that of uplinks.
        more_s: time to wait after the last begin.
    """
    vector = _ns3().std.vector
    found = _ns3().SendFiles(
        vector["double"](distances_m),
        vector["double"](times_s),
        vector["int"](users),
        bits // 8 // PACKET_BYTE,
        PACKET_BYTE,
        down,
        block_errors,
        times_s[-1] + more_s,
    )
    return [[round(one, 5) for one in times] for times in found]


def together_s(distances_m: list[float], bits: int, *, down: bool = False, block_errors: bool = False) -> list[float]:
    """Return the seconds of files that begin together, one of each user.

    Args:
        distances_m: of each user.
        bits: of each file.
        down: from the host to the users.
        block_errors: as in `sent_s`.
    """
    count = len(distances_m)
    found = sent_s(distances_m, [TOGETHER_S] * count, list(range(count)), bits, down=down, block_errors=block_errors)
    return [one for times in found for one in times]


def table() -> list[dict[str, Any]]:
    """Return users at one distance whose uploads begin together: size x distance x number of users."""
    return [
        {"bit": bits, "distance_m": far_m, "users": users, "seconds": together_s([far_m] * users, bits)}
        for bits in BITS
        for far_m in DISTANCES_M
        for users in USERS
    ]


def mixed() -> list[dict[str, Any]]:
    """Return users at different distances whose files begin together, up and down."""
    groups: tuple[list[float], ...] = ([50.0, 300.0], [50.0, 100.0, 200.0, 300.0], [100.0], [100.0] * 4, [300.0] * 4)
    return [
        {
            "bit": 1_000_000,
            "down": down,
            "block_errors": block_errors,
            "distances_m": group,
            "seconds": together_s(group, 1_000_000, down=down, block_errors=block_errors),
        }
        for down, block_errors in ((False, False), (True, False), (True, True))
        for group in groups
    ]


def poisson() -> list[dict[str, Any]]:
    """Return the loads of `data/lte_uplink_poisson.json` again, and with files that fill a level of the reports."""
    rows = []
    for row in json.loads(POISSON.read_text(encoding="utf-8"))["rows"]:
        times_s, total = [], 0
        for step in row["steps_10us"]:
            total += step
            times_s.append(total / 1e5)
        for bits in (1_000_000, 980_000):
            found = sent_s([row["distance_m"]] * 40, times_s, row["users"], bits, more_s=10.0)
            spent_s = sorted(one for times in found for one in times)
            rows.append(
                {
                    "distance_m": row["distance_m"],
                    "load": row["load"],
                    "bit": bits,
                    "done": len(spent_s),
                    "mean_s": sum(spent_s) / len(spent_s),
                    "p50_s": spent_s[len(spent_s) // 2],
                    "p95_s": spent_s[int(0.95 * len(spent_s))],
                }
            )
    return rows


_LOADED: list[Any] = []


def _ns3() -> Any:
    """Return ns-3's namespace with this file's code in it."""
    if not _LOADED:
        try:
            import cppyy  # type: ignore[import-not-found,unused-ignore]
            from ns import ns  # type: ignore[import-not-found,unused-ignore]  # noqa: F401
        except ImportError:
            sys.exit(
                "ns-3 is missing; python -m venv ns3 && ns3/bin/pip install ns3, then run this with ns3/bin/python"
            )
        cppyy.cppdef(CODE)
        _LOADED.append(cppyy.gbl)
    return _LOADED[0]


def main() -> None:
    """Simulate, and write the rows."""
    parser = argparse.ArgumentParser(description="Files over ns-3's LTE module, packet by packet.")
    kinds = {"table": table, "mixed": mixed, "poisson": poisson}
    parser.add_argument("rows", choices=list(kinds))
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    given = parser.parse_args()
    rows = kinds[given.rows]()
    given.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print(f"{given.out}: {len(rows)} rows")


if __name__ == "__main__":
    main()

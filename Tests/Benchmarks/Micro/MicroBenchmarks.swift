/// Does a case so often and ends; instructions and allocations are counted from outside
/// (`Tests/Benchmarks/micro.py`).
///
///     micro-benchmarks                             the cases, one a line: name few many unit
///     micro-benchmarks --case NAME --iterations N
@main
enum MicroBenchmarks {
    static let cases: [MicroCase] =
        FrameCases.all + TextCases.all + RoomCases.all + [BroadcastCase.thousandMembers]

    static func main() throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        if arguments.isEmpty {
            for one in cases {
                print(one.name, one.iterations.few, one.iterations.many, one.unit)
            }
            return
        }
        guard arguments.count == 4, arguments[0] == "--case", arguments[2] == "--iterations",
            let chosen = cases.first(where: { $0.name == arguments[1] }),
            let count = Int(arguments[3]), (1...100_000_000).contains(count)
        else {
            throw MicroError(description: "usage: micro-benchmarks [--case NAME --iterations N]")
        }
        try chosen.prepare()(count)
    }
}

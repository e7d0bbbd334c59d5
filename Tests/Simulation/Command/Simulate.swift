import ArgumentParser
import Simulation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Runs simulations; ends with 1 where a promise was broken.
@main
struct Simulate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Runs instances, their store and their clients on one seed, with faults.")

    @Option(help: "The seed to run; its history is printed.")
    var seed: UInt64?

    @Option(help: "Seeds to run, as 1..1000.")
    var seeds: SeedRange?

    @Option(help: "What clients and faults do: so many steps.")
    var steps = 120

    @Option(help: "Faults that may happen: names with commas between, none, or all.")
    var faults = FaultList(faults: Set(Fault.allCases))

    @Option(help: "A bug to plant: \(Canary.allCases.map(\.rawValue).joined(separator: ", ")).")
    var canary: Canary?

    @Option(
        help: "Checkers that count: \(Checker.allCases.map(\.rawValue).joined(separator: ", ")).")
    var checkers: [Checker] = Checker.allCases

    @Flag(help: "Print the history, also where nothing is wrong.")
    var verbose = false

    @Flag(help: "Go on after a seed that fails.")
    var keepGoing = false

    @Flag(help: "Print a hash of each history.")
    var hashes = false

    func validate() throws {
        guard (seed == nil) != (seeds == nil) else {
            throw ValidationError("give either --seed or --seeds")
        }
    }

    func run() throws {
        try Self.makeHashingDeterministic()
        let range = seeds?.range ?? (seed ?? 0)...(seed ?? 0)
        var totals = Totals()
        for seed in range {
            var options = World.Options()
            options.steps = steps
            options.faults = faults.faults
            options.canary = canary
            options.checkers = Set(checkers)
            options.keepsHistory = verbose
            let outcome = try World(seed: seed, options: options).run()
            totals.add(outcome)
            if hashes { print("seed \(seed): \(String(outcome.hash, radix: 16))") }
            if verbose { outcome.history.forEach { print($0) } }
            guard !outcome.violations.isEmpty else { continue }
            if !verbose, seeds == nil {
                options.keepsHistory = true
                try World(seed: seed, options: options).run().history.forEach { print($0) }
            }
            print("seed \(seed) broke what must hold:")
            for violation in outcome.violations.prefix(8) { print("  \(violation)") }
            print("replay: \(replay(seed))")
            fflush(nil)
            guard keepGoing else { throw ExitCode.failure }
        }
        print(totals.text)
        if totals.failures > 0 { throw ExitCode.failure }
    }

    private func replay(_ seed: UInt64) -> String {
        var command = "swift run simulate --seed \(seed) --steps \(steps) --verbose"
        if faults.faults.count < Fault.allCases.count { command += " --faults \(faults.text)" }
        if let canary { command += " --canary \(canary.rawValue)" }
        if checkers.count < Checker.allCases.count {
            for checker in checkers { command += " --checkers \(checker.rawValue)" }
        }
        return command
    }

    /// Sets and dictionaries are gone through in an order that differs from process to process
    /// unless this variable is set as it starts.
    private static func makeHashingDeterministic() throws {
        let name = "SWIFT_DETERMINISTIC_HASHING"
        guard getenv(name) == nil else { return }
        setenv(name, "1", 1)
        var arguments = CommandLine.arguments.map { strdup($0) }
        arguments.append(nil)
        execv("/proc/self/exe", arguments)
        throw ValidationError("cannot start again with \(name)=1")
    }
}

private struct Totals {
    var seeds = 0
    var failures = 0
    var acknowledged = 0
    var faults: [Fault: Int] = [:]
    var seconds: Int64 = 0

    mutating func add(_ outcome: World.Outcome) {
        seeds += 1
        failures += outcome.violations.isEmpty ? 0 : 1
        acknowledged += outcome.acknowledged
        faults.merge(outcome.faults, uniquingKeysWith: +)
        seconds += outcome.elapsed.components.seconds
    }

    var text: String {
        let list = faults.sorted { $0.key < $1.key }.map { "\($0.key.rawValue) \($0.value)" }
        return "\(seeds) seeds, \(failures) failed; \(acknowledged) acknowledged edits,"
            + " \(seconds) simulated seconds; faults: \(list.joined(separator: ", "))"
    }
}

struct SeedRange: ExpressibleByArgument {
    let range: ClosedRange<UInt64>

    init?(argument: String) {
        let parts = argument.split(separator: ".", omittingEmptySubsequences: true)
        guard parts.count == 2, let first = UInt64(parts[0]), let last = UInt64(parts[1]),
            first <= last
        else { return nil }
        range = first...last
    }
}

struct FaultList: ExpressibleByArgument {
    var faults: Set<Fault>

    init(faults: Set<Fault>) { self.faults = faults }

    init?(argument: String) {
        switch argument {
        case "all": self.init(faults: Set(Fault.allCases))
        case "none": self.init(faults: [])
        default:
            let known = argument.split(separator: ",").map { Fault(rawValue: String($0)) }
            guard !known.contains(nil) else { return nil }
            self.init(faults: Set(known.compactMap(\.self)))
        }
    }

    var text: String {
        faults.isEmpty ? "none" : faults.sorted().map(\.rawValue).joined(separator: ",")
    }

    var defaultValueDescription: String { "all" }
}

extension Canary: ExpressibleByArgument {}
extension Checker: ExpressibleByArgument {}

import Simulation
import Testing
import WireKit

/// Runs the `simulate` program: only a process of its own has the order of sets and dictionaries in
/// hand, so that what fails here is repeated by the command that it prints.
@Suite("Simulations")
struct SimulationTests {
    private static let steps = ["--steps", "80"]

    @Test("hold every promise under every fault", arguments: [1...80, 81...160])
    func promises(seeds: ClosedRange<Int>) async throws {
        let (text, exitCode) = try await ProgramProcess.output(
            of: "simulate",
            ["--seeds", "\(seeds.lowerBound)..\(seeds.upperBound)"] + Self.steps)
        #expect(exitCode == 0, "\(text)")
        // All kinds of faults have happened.
        for fault in Fault.allCases { #expect(text.contains("\(fault.rawValue) "), "\(text)") }
    }

    @Test("go the same way each time")
    func determinism() async throws {
        let arguments = ["--seeds", "1..6", "--hashes"] + Self.steps
        let first = try await ProgramProcess.output(of: "simulate", arguments)
        let second = try await ProgramProcess.output(of: "simulate", arguments)
        let hashes = first.text.split(separator: "\n").filter { $0.hasPrefix("seed ") }
        #expect(Set(hashes.map { $0.split(separator: " ").last ?? "" }).count == 6)
        #expect(first.text == second.text)
    }

    @Test(
        "find a planted bug by the checker that is there for it",
        arguments: [
            (Canary.unstored, Checker.acknowledged), (.swapped, .order),
            (.forgotten, .acknowledged),
            (.ghost, .members), (.hostless, .host), (.backwards, .versions),
        ])
    func canaries(canary: Canary, checker: Checker) async throws {
        let arguments = ["--canary", canary.rawValue, "--checkers", checker.rawValue]
        let (text, exitCode) = try await ProgramProcess.output(
            of: "simulate", ["--seeds", "1..160"] + Self.steps + arguments)
        #expect(exitCode == 1, "\(text)")
        #expect(text.contains("\n  \(checker.rawValue): "), "\(text)")
        #expect(text.contains("--canary \(canary.rawValue)"), "\(text)")
    }
}

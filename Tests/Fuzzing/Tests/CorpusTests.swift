import Foundation
import TestKit
import Testing

@Suite("Fuzz corpus")
struct CorpusTests {
    @Test("every input that was kept holds", arguments: FuzzTarget.all)
    func corpus(target: FuzzTarget) throws {
        let inputs = try Corpus.inputs(of: target)
        #expect(!inputs.isEmpty, "the corpus of \(target.name) is missing")
        for (file, input) in inputs { Self.run(target, on: input, "\(target.name)/\(file)") }
    }

    /// What `scripts/fuzz.sh` does better, and for longer; this costs no second build.
    @Test("inputs changed at random hold", arguments: FuzzTarget.all)
    func mutations(target: FuzzTarget) throws {
        let inputs = try Corpus.inputs(of: target).map(\.input).filter { $0.count <= 4_096 }
        try #require(!inputs.isEmpty)
        var mutator = Mutator(seed: 20, inputs: inputs)
        for round in 0..<target.roundsInTests {
            guard Self.run(target, on: mutator.next(), "\(target.name), round \(round)") else {
                return
            }
        }
    }

    @discardableResult
    private static func run(_ target: FuzzTarget, on input: [UInt8], _ name: String) -> Bool {
        do {
            try target.run(input)
            return true
        } catch {
            let encoded = Data(input).base64EncodedString()
            Issue.record("\(name): \(error); input in base64: \(encoded)")
            return false
        }
    }

    @Test("a corpus is small enough to live in the repository")
    func size() throws {
        let bytes = try FuzzTarget.all.flatMap { try Corpus.inputs(of: $0) }
            .reduce(0) { $0 + $1.input.count }
        #expect(bytes < 1_000_000)
    }

    @Test("a folder without a target, or a target without a folder, is noticed")
    func folders() throws {
        let folders = try FileManager.default.contentsOfDirectory(atPath: Corpus.folder.path)
        #expect(folders.sorted() == FuzzTarget.all.map(\.name).sorted())
    }

    @Test("an input that breaks a rule is a finding")
    func finding() {
        #expect(throws: Finding.self) { try FuzzTarget.planted.run(Array("BOOM".utf8)) }
    }

    @Test("an input that traps ends the process")
    func trap() async {
        await #expect(processExitsWith: .failure) {
            try FuzzTarget.planted.run(Array("TRAP".utf8))
        }
    }

    @Test("the mutator comes from a seed to a planted finding")
    func mutator() {
        var mutator = Mutator(seed: 1, inputs: [Array("BOO".utf8), Array("xxM".utf8)])
        let found = (0..<200_000).contains { _ in
            (try? FuzzTarget.planted.run(mutator.next(avoiding: "TRAP"))) == nil
        }
        #expect(found)
    }
}

/// The files of `Tests/Fuzzing/Corpus`.
enum Corpus {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Corpus")

    static func inputs(of target: FuzzTarget) throws -> [(file: String, input: [UInt8])] {
        let folder = folder.appending(path: target.name)
        return try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted().map {
            ($0, Array(try Data(contentsOf: folder.appending(path: $0))))
        }
    }
}

extension FuzzTarget: CustomTestStringConvertible {
    var testDescription: String { name }

    /// About a second each, without optimisation.
    fileprivate var roundsInTests: Int {
        switch name {
        case "events", "http": 200
        case "scene", "room", "stored": 400
        default: 2_000
        }
    }
}

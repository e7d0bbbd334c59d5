import Foundation
import Testing

@Suite("docs/PROTOCOL.md and the tests of the official suites")
struct TableTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()

    /// `Type.function` of every test that stands in a file of a suite.
    private func tests() throws -> Set<String> {
        var names: Set<String> = []
        let files = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path)
        for file in files where file.hasSuffix("Tests.swift") {
            let type = file.replacing(".swift", with: "")
            guard type.hasPrefix("EngineIO") || type.hasPrefix("SocketIO") else { continue }
            let source = try String(
                contentsOf: Self.folder.appendingPathComponent(file), encoding: .utf8)
            // A test's function is the first that follows `@Test`.
            for part in source.components(separatedBy: "@Test").dropFirst() {
                guard let match = part.firstMatch(of: /\n    func (\w+)\(/) else { continue }
                names.insert("\(type).\(match.1)")
            }
        }
        return names
    }

    /// What the last column of the tables names.
    private func rows() throws -> [String] {
        let root = Self.folder.deletingLastPathComponent().deletingLastPathComponent()
        let page = try String(
            contentsOf: root.appendingPathComponent("docs/PROTOCOL.md"), encoding: .utf8)
        return page.matches(of: /`((?:EngineIO|SocketIO)\w*Tests\.\w+)` \|\n/).map {
            String($0.1)
        }
    }

    @Test("Every row names a test, and every test has a row")
    func complete() throws {
        let (tests, rows) = (try tests(), try rows())
        #expect(tests.count > 40)
        #expect(Set(rows).count == rows.count, "a test is named twice")
        #expect(Set(rows).subtracting(tests).isEmpty, "rows without a test")
        #expect(tests.subtracting(rows).isEmpty, "tests without a row")
    }
}

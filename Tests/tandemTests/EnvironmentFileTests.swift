import Foundation
import Testing

@testable import tandem

@Suite struct EnvironmentFileTests {
    private func read(_ text: String) -> EnvironmentFile {
        EnvironmentFile(text: text, name: "test.env")
    }

    @Test func readsAssignmentsAsShellsDo() {
        let file = read(
            """
            # a comment
            PORT=3002

            export HOST=127.0.0.1
             REDIS_URL = redis://localhost:6379/0
            CLUSTER_NODES=a=127.0.0.1:3001=http://a,b=127.0.0.1:3002=http://b
            """)
        #expect(file.problems.isEmpty)
        #expect(
            file.values == [
                "PORT": "3002", "HOST": "127.0.0.1", "REDIS_URL": "redis://localhost:6379/0",
                "CLUSTER_NODES": "a=127.0.0.1:3001=http://a,b=127.0.0.1:3002=http://b",
            ])
    }

    @Test(arguments: [
        ("A=\"two words\"", "two words"), ("A='#1'", "#1"), ("A=\"x\" # why", "x"),
        ("A=x # why", "x"), ("A=x#y", "x#y"), ("A=", ""), ("A= # not set", ""), ("A=  ", ""),
        ("A=it's", "it's"),
    ])
    func takesOffQuotesAndComments(line: String, value: String) {
        let file = read(line)
        #expect(file.problems.isEmpty)
        #expect(file.values == ["A": value])
    }

    @Test func takesLinesAsWindowsWritesThem() {
        let file = read("\u{FEFF}PORT=3002\r\n# note\r\nHOST=::1\r\n")
        #expect(file.problems.isEmpty)
        #expect(file.values == ["PORT": "3002", "HOST": "::1"])
    }

    @Test func theLaterOfTwoCounts() {
        #expect(read("A=1\nA=2").values == ["A": "2"])
    }

    @Test func namesEachLineThatIsNone() {
        let file = read("PORT 3002\nHOST=::1\n=x\nMY-NAME=x\nA=\"open")
        #expect(
            file.problems == [
                "test.env, line 1: expected NAME=value", "test.env, line 3: expected NAME=value",
                "test.env, line 4: expected NAME=value",
                "test.env, line 5: the quote does not end",
            ])
        #expect(file.values == ["HOST": "::1"])
    }

    @Test func saysWhichFileCannotBeRead() throws {
        let missing = EnvironmentFile(path: "/nowhere/at all.env")
        #expect(missing.problems == ["--env-file: cannot read /nowhere/at all.env"])

        let path = FileManager.default.temporaryDirectory
            .appendingPathComponent("tandem-\(UUID().uuidString).env").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        #expect(FileManager.default.createFile(atPath: path, contents: Data([0x41, 0x3d, 0xff])))
        #expect(EnvironmentFile(path: path).problems == ["--env-file: \(path) is not UTF-8 text"])
    }
}

import Testing

@testable import Cluster

@Suite struct ClusterNodesTests {
    @Test("id, upstream, URL and weight are read as written, in order")
    func reads() throws {
        let nodes = try ClusterNodes(
            parsing: """
                server-1=127.0.0.1:3001=http://localhost:3001,
                 server-2 = linker-2:3002 = https://B.example.org = 3,
                """)
        #expect(nodes.nodes.map(\.id) == ["server-1", "server-2"])
        #expect(nodes.nodes.map(\.upstream) == ["127.0.0.1:3001", "linker-2:3002"])
        #expect(
            nodes.nodes.map(\.publicURL.text) == ["http://localhost:3001", "https://B.example.org"])
        #expect(nodes.nodes.map(\.server.weight) == [1, 3])
        #expect(nodes[id: "server-2"]?.publicURL.port == 443)
        #expect(nodes[id: "server-3"] == nil)
    }

    @Test("every problem is listed, not only the first")
    func problems() {
        let text =
            "a=h:1=http://x,a=h:1=http://y,b c=h:2=ftp://x,d=h=http://x/,e=h:4,f=h:5=http://x=0"
        let error = #expect(throws: ClusterNodesError.self) { try ClusterNodes(parsing: text) }
        #expect(
            error?.problems == [
                .duplicateID("a"), .duplicateUpstream("h:1"),
                .badID("b c"), .badURL("ftp://x", .scheme),
                .badUpstream("h"), .badURL("http://x/", .path),
                .shape(item: "e=h:4"), .badWeight("0"),
            ])
        #expect(error?.description.contains("the id \"a\" occurs twice") == true)
    }

    @Test("no node, and too many nodes, are problems")
    func count() {
        #expect(throws: ClusterNodesError(problems: [.empty])) {
            try ClusterNodes(parsing: " , ")
        }
        let many = (0..<65).map { "n\($0)=h:\($0 + 1)=http://h:\($0 + 1)" }.joined(separator: ",")
        #expect(throws: ClusterNodesError(problems: [.tooMany(65)])) {
            try ClusterNodes(parsing: many)
        }
    }

    @Test(
        "text that is no node list gives an error and no crash",
        arguments: [
            "=", "==", "===", "====", "a", "a==", "=h:1=", "a=:1=http://x", "a=h:=http://x",
            "a=h:99999999999999999999=http://x", "a=h:1=http://", "a=h:1=http://x:0",
            "a=h:1=http://[", "a=h:1=http://[::1", "a=h:1=http://u@x", "a=h:1=http://x:1:2",
            "a=h:1=http://x=99999999999999999999", "a=h:1=http://x=+", "a=h:1=http://x=-1",
            "é=h:1=http://x", "a=h:1=http://x?y", "a=h:1=http://x#y", "a=[]:1=http://x",
        ])
    func nonsense(text: String) {
        #expect(throws: ClusterNodesError.self) { try ClusterNodes(parsing: text) }
    }

    @Test("a public URL is recognised in Host and Origin, default ports and letter case aside")
    func urls() throws {
        let plain = try PublicURL("http://Localhost:80")
        #expect(plain.isNamed(byHost: "localhost", isSecure: false))
        #expect(plain.isNamed(byHost: "LOCALHOST:80", isSecure: true))
        #expect(!plain.isNamed(byHost: "localhost", isSecure: true))
        #expect(!plain.isNamed(byHost: "localhost:81", isSecure: false))
        #expect(plain.isNamed(byOrigin: "http://localhost"))
        #expect(!plain.isNamed(byOrigin: "https://localhost"))
        #expect(!plain.isNamed(byOrigin: "null"))
        #expect(plain.text == "http://Localhost:80")
        #expect(try PublicURL("https://[::1]:3001").isNamed(byHost: "[::1]:3001", isSecure: true))
    }

    @Test("an incarnation survives writing and reading, and nothing else is read as one")
    func incarnation() {
        let one = Incarnation(instanceID: "server-1", nonce: 0xAB)
        #expect(one.description == "server-1#00000000000000ab")
        #expect(Incarnation(one.description) == one)
        for text in ["", "#", "a#", "a#1", "#00000000000000ab", "a#-0000000000000ab", "a#zz", "a"] {
            #expect(Incarnation(text) == nil, "\(text)")
        }
    }

    @Test("the report gives a line an id, and says which nodes make no sense")
    func report() throws {
        let report = try RingReport(nodes: "linker-server-1:3001,linker-server-2:3002")
        #expect(
            report.lines(for: ["room1", "proyecto-1", ""]) == [
                "room1\tlinker-server-2:3002", "proyecto-1\tlinker-server-1:3001", "\t-",
            ])
        let one = try RingReport(
            nodes: "linker-server-1:3001,linker-server-2:3002", down: "linker-server-2:3002")
        #expect(one.line(for: "room1") == "room1\tlinker-server-1:3001")
        let error = #expect(throws: RingReport.Problem.self) {
            try RingReport(nodes: "a:1=0,b:1,c:1=2=3,=4")
        }
        #expect(error?.items == ["a:1=0", "c:1=2=3", "=4"])
        #expect(throws: RingReport.Problem.self) { try RingReport(nodes: "") }
    }
}

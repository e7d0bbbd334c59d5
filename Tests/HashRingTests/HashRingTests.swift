import Testing

@testable import HashRing

@Suite struct HashRingTests {
    private let docker = ring("linker-server-1:3001", "linker-server-2:3002")
    private let local = ring("127.0.0.1:3001", "127.0.0.1:3002")

    @Test(
        "CRC-32 of names agrees with nginx",
        arguments: [
            ("", 0), ("123456789", 0xCBF4_3926),
            ("sala-demo", 0x728F_5AFC), ("room_abc123xyz", 0xFBBE_9B4A),
            ("room1", 0xE473_3A2A), ("room2", 0x7D7A_6B90), ("proyecto-1", 0xEB24_5325),
            ("proyecto-2", 0x722D_029F), ("Sala_Grande-01", 0x3857_C570),
            (String(repeating: "x", count: 50), 0xAC62_8A03),
        ] as [(String, UInt32)])
    func checksum(text: String, expected: UInt32) {
        #expect(CRC32.checksum(of: text.utf8) == expected)
    }

    @Test(
        "the owner is the one that nginx 1.22.1 names",
        arguments: [
            ("sala-demo", 2, 2), ("room_abc123xyz", 2, nil), ("room1", 2, 1), ("room2", 2, nil),
            ("proyecto-1", 1, 2), ("proyecto-2", 2, 2), ("Sala_Grande-01", 2, nil),
            (String(repeating: "x", count: 50), 2, nil),
        ] as [(String, Int, Int?)])
    func vectors(room: String, dockerOwner: Int, localOwner: Int?) {
        #expect(docker.owner(of: room) == dockerOwner - 1)
        if let localOwner { #expect(local.owner(of: room) == localOwner - 1) }
    }

    @Test("an empty key has no owner, and neither has any key without servers")
    func emptyKey() {
        #expect(docker.owner(of: "") == nil)
        #expect(HashRing(servers: []).owner(of: "room1") == nil)
    }

    @Test("a lone server owns every key, also one of a megabyte")
    func longKey() {
        let alone = ring("127.0.0.1:3001")
        #expect(alone.owner(of: String(repeating: "k", count: 1 << 20)) == 0)
        #expect(alone.owner(of: "\u{0}") == 0)
        #expect(alone.pointCount == 160)
    }

    @Test("equal points are kept once, for the server named first")
    func equalNeighbours() {
        let doubled = ring("127.0.0.1:3001", "127.0.0.1:3001", "127.0.0.1:3002")
        #expect(doubled.pointCount == local.pointCount)
        for id in ids(500) {
            let owner = doubled.owner(of: id)
            #expect(owner != 1)
            #expect(
                owner.map { doubled.servers[$0].name }
                    == local.owner(of: id).map { local.servers[$0].name })
        }
    }

    @Test("weight gives a server that many times the points, and about that share of keys")
    func weight() throws {
        let heavy = HashRing(servers: [
            try #require(RingServer(name: "a:1", weight: 3)), try #require(RingServer(name: "b:2")),
        ])
        #expect(heavy.pointCount == 640)
        let share = ids(8_000).filter { heavy.owner(of: $0) == 0 }.count
        #expect((5_200...6_800).contains(share), "\(share)")
    }

    @Test("the first points of a server are those that nginx computes")
    func hostAndPort() {
        // One ring is a rotation of the other only if host and port are hashed alike.
        #expect(RingServer(name: "localhost:8080")?.hashedText == "localhost|8080")
        #expect(RingServer(name: "localhost")?.hashedText == "localhost|")
        #expect(RingServer(name: "localhost:")?.hashedText == "localhost|")
        #expect(RingServer(name: "[::1]:3001")?.hashedText == "[::1]|3001")
        #expect(RingServer(name: "[::1]")?.hashedText == "[::1]|")
        #expect(RingServer(name: "10.0.0.1")?.hashedText == "10.0.0.1|")
        #expect(RingServer(name: "8080")?.hashedText == "8080|")
        #expect(RingServer(name: "a:80x")?.hashedText == "a:80x|")
        #expect(RingServer(name: "unix:/run/a.sock")?.hashedText == "/run/a.sock|")
        #expect(RingServer(name: "UNIX:/run/a:1")?.hashedText == "/run/a:1|")
        #expect(RingServer(name: "unix")?.hashedText == "unix|")
    }

    @Test("names and weights that nginx refuses make no server")
    func refusals() {
        #expect(RingServer(name: "") == nil)
        #expect(RingServer(name: "a:1", weight: 0) == nil)
        #expect(RingServer(name: "a:1", weight: -1) == nil)
        #expect(RingServer(name: "a:1", weight: RingServer.maxWeight + 1) == nil)
    }

    @Test("keys of a dead server go to the next alive; all others stay where they were")
    func deadServer() {
        let five = ring("n:1", "n:2", "n:3", "n:4", "n:5")
        var heirs: Set<Int> = []
        for id in ids(2_000) {
            let owner = five.owner(of: id)
            let heir = five.owner(of: id) { $0 != 2 }
            if owner == 2 {
                #expect(heir != 2)
                heirs.formUnion([heir].compactMap { $0 })
            } else {
                #expect(heir == owner)
            }
        }
        #expect(heirs == [0, 1, 3, 4])
    }

    @Test("with nobody alive there is no owner")
    func nobody() {
        #expect(local.owner(of: "room1") { _ in false } == nil)
        #expect(local.owner(of: "room1") { $0 == 1 } == 1)
    }

    @Test("a third server takes about a third of the keys, and none move between the old two")
    func growth() {
        let three = ring("127.0.0.1:3001", "127.0.0.1:3002", "127.0.0.1:3003")
        let moved = ids(6_000).filter { three.owner(of: $0) != local.owner(of: $0) }
        #expect(moved.allSatisfy { three.owner(of: $0) == 2 })
        #expect((1_500...2_500).contains(moved.count), "\(moved.count)")
    }
}

private func ring(_ names: String...) -> HashRing {
    HashRing(servers: names.compactMap { RingServer(name: $0) })
}

private func ids(_ count: Int) -> [String] { (0..<count).map { "room-\($0)" } }

extension RingServer {
    /// The hashed bytes, the zero shown as a bar.
    fileprivate var hashedText: String {
        String(decoding: hashedBytes.map { $0 == 0 ? UInt8(ascii: "|") : $0 }, as: UTF8.self)
    }
}

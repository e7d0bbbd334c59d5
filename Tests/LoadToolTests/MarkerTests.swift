import Testing

@testable import LoadTool

@Suite struct MarkerTests {
    private func written(_ marker: Marker) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Marker.byteCount)
        bytes.withUnsafeMutableBytes { marker.write(into: $0) }
        return bytes
    }

    @Test(arguments: [
        Marker(sender: 0, sequence: 0, time: 0),
        Marker(sender: 99_999_999, sequence: .max, time: .max),
        Marker(sender: 12_345_678, sequence: 1_234_567_890, time: 1_234_567_890_123_456_789),
    ])
    func whatIsWrittenIsRead(_ marker: Marker) {
        let bytes = written(marker)
        #expect(bytes.withUnsafeBytes { Marker.read($0, at: 0) } == marker)
    }

    @Test func itLooksLikeThis() {
        let text = String(
            decoding: written(Marker(sender: 7, sequence: 42, time: 1_000)), as: UTF8.self)
        #expect(text == "~00000007~0000000042~0000000000000001000~")
    }

    @Test func noByteOfItMayBeAnythingElse() {
        let bytes = written(Marker(sender: 31, sequence: 415, time: 926))
        for position in bytes.indices {
            var broken = bytes
            broken[position] = UInt8(ascii: "x")
            #expect(broken.withUnsafeBytes { Marker.read($0, at: 0) } == nil)
        }
        #expect(Array(bytes.dropLast()).withUnsafeBytes { Marker.read($0, at: 0) } == nil)
    }

    @Test func itIsFoundWhereverItIsAndWhereTheLastOneWas() {
        let marker = Marker(sender: 5, sequence: 6, time: 7)
        var finder = MarkerFinder()
        for lead in ["", "~", "~~00000001~ no ", String(repeating: "x", count: 300)] {
            let bytes = Array(lead.utf8) + written(marker) + Array("~ after".utf8)
            for _ in 0..<2 {
                #expect(bytes.withUnsafeBytes { finder.find($0) } == marker)
                #expect(finder.position == lead.utf8.count)
            }
        }
    }

    @Test func whereThereIsNoneNoneIsFound() {
        var finder = MarkerFinder()
        for text in ["", "~", "~00000007~0000000042~000000000000000100~", "plain text"] {
            #expect(Array(text.utf8).withUnsafeBytes { finder.find($0) } == nil)
        }
    }

    @Test func allMarkersOfASceneAreFound() {
        let markers = (0..<3).map { Marker(sender: $0, sequence: 9, time: 1) }
        let bytes = markers.flatMap { Array("{\"load\":\"".utf8) + written($0) }
        var found: [Marker] = []
        bytes.withUnsafeBytes { bytes in
            var position = 0
            while let next = MarkerFinder.search(bytes, from: position) {
                found.append(next.marker)
                position = next.start + Marker.byteCount
            }
        }
        #expect(found == markers)
    }
}

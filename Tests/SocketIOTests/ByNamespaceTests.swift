import Testing

@testable import SocketIO

@Suite("What a connection has by namespace")
struct ByNamespaceTests {
    @Test("Is what a dictionary is, whatever is done to it", arguments: [1, 2] as [UInt64])
    func likeADictionary(seed: UInt64) {
        var generator = SplitMix(seed: seed)
        var table = ByNamespace<Int>()
        var dictionary: [String: Int] = [:]
        for step in 0..<500 {
            let name = "/\(Int.random(in: 0..<8, using: &generator))"
            let value = Bool.random(using: &generator) ? step : nil
            table[name] = value
            dictionary[name] = value
            #expect(table[name] == value && table.count == dictionary.count)
            #expect(table.values.sorted() == dictionary.values.sorted())
        }
        table.removeAll()
        #expect(table.count == 0 && table["/1"] == nil)
    }
}

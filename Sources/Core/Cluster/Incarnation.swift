/// One life of one instance: its id and 64 random bits, written `server-1#9f86d081884c7d65`.
///
/// A process that was declared dead goes on as a new incarnation, so what the old one left behind
/// can be told from what the new one holds.
package struct Incarnation: Sendable, Hashable, CustomStringConvertible {
    package let instanceID: String
    package let nonce: UInt64

    package init(instanceID: String, nonce: UInt64) {
        self.instanceID = instanceID
        self.nonce = nonce
    }

    /// The form of `description`. Nil for anything else.
    package init?(_ text: String) {
        let parts = text.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, ClusterNode.isValidID(parts[0]), parts[1].utf8.count == 16,
            parts[1].utf8.allSatisfy({ $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "-") }),
            let nonce = UInt64(parts[1], radix: 16)
        else { return nil }
        self.init(instanceID: String(parts[0]), nonce: nonce)
    }

    package var description: String {
        let digits = String(nonce, radix: 16)
        return "\(instanceID)#\(String(repeating: "0", count: 16 - digits.count))\(digits)"
    }
}

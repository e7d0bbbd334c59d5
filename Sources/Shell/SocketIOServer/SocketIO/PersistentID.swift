/// The secret that a client is told with CONNECT, and shows to be the same socket again:
/// `<socket id>.<32 hexadecimal digits>`, of these 128 bits from the system's random source.
enum PersistentID {
    static func make(for socketID: String) -> String {
        var generator = SystemRandomNumberGenerator()
        let digits = (0..<2).map { _ in
            let half = String(generator.next() as UInt64, radix: 16)
            return String(repeating: "0", count: 16 - half.count) + half
        }
        return "\(socketID).\(digits.joined())"
    }

    /// The socket's id in what may be such a secret; nil if it is none by its form.
    static func socketID(in pid: String) -> String? {
        let bytes = pid.utf8
        guard bytes.count == SocketID.length + 1 + secretDigits else { return nil }
        let id = bytes.prefix(SocketID.length)
        let secret = bytes.suffix(secretDigits)
        guard id.allSatisfy(SocketID.isLetter), bytes.dropFirst(id.count).first == 0x2e,
            secret.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
        else { return nil }
        return String(pid.prefix(SocketID.length))
    }

    private static let secretDigits = 32
}

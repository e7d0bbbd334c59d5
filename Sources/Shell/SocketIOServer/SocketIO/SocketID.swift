/// Names for sockets.
package enum SocketID {
    private static let alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    static let length = 20

    static func isLetter(_ byte: UInt8) -> Bool { alphabet.contains(byte) }

    /// 20 characters of six random bits each, from the system's source.
    @Sendable package static func random() -> String {
        var generator = SystemRandomNumberGenerator()
        var bits: UInt64 = 0
        return String(unsafeUninitializedCapacity: length) { buffer in
            for index in 0..<length {
                if index % 10 == 0 { bits = generator.next() }
                buffer[index] = alphabet[Int(bits & 63)]
                bits >>= 6
            }
            return length
        }
    }
}

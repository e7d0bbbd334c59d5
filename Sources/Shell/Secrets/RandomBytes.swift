import COpenSSL

/// Bytes that nobody can guess, from libcrypto's generator.
package enum RandomBytes {
    package static func make(_ count: Int) throws(SecretsError) -> [UInt8] {
        guard count > 0 else { return [] }
        var bytes = [UInt8](repeating: 0, count: count)
        guard RAND_bytes(&bytes, Int32(clamping: count)) == 1 else { throw .noRandomness }
        return bytes
    }

    /// A token of two hexadecimal digits a byte: 16 bytes have 128 bits.
    package static func hexToken(byteCount: Int = 16) throws(SecretsError) -> String {
        Hexadecimal.encode(try make(byteCount))
    }

    /// A token of `A-Z a-z 0-9 - _`, without padding.
    package static func base64URLToken(byteCount: Int = 16) throws(SecretsError) -> String {
        let alphabet = Array(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        let bytes = try make(byteCount)
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let bits = group.reduce(UInt32(0)) { $0 << 8 | UInt32($1) } << (8 * (3 - group.count))
            for place in 0...group.count {
                text.append(alphabet[Int(bits >> (18 - 6 * place) & 0x3F)])
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}

import COpenSSL

/// SHA-256, and HMAC (RFC 2104) on it.
package enum Digest {
    package static let byteCount = 32

    package static func sha256(_ bytes: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: byteCount)
        _ = SHA256(bytes, bytes.count, &digest)
        return digest
    }

    /// The digest of the text's UTF-8 bytes in 64 hexadecimal digits.
    package static func sha256Hex(_ text: String) -> String {
        Hexadecimal.encode(sha256(Array(text.utf8)))
    }

    /// - Parameter key: of any length, below 2 GiB.
    package static func hmacSHA256(key: [UInt8], _ message: [UInt8]) -> [UInt8] {
        var code = [UInt8](repeating: 0, count: byteCount)
        var length: UInt32 = 0
        _ = HMAC(
            EVP_sha256(), key, Int32(clamping: key.count), message, message.count, &code, &length)
        return code
    }
}

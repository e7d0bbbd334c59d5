import COpenSSL

/// Passwords as they are stored: `scrypt$15$8$1$SALT$KEY`, that is log N, r, p, and 16 bytes of
/// salt and 32 of key in hexadecimal.
///
/// What is derived from is the password's SHA-256 digest: scrypt begins with an HMAC, which pads
/// short keys with zeros, so that `abc` would be the same password as `abc` and a zero character.
///
/// One call takes about a tenth of a second of a core: never call it on an event loop, but through
/// `PasswordHasher`.
package enum Scrypt {
    package static let saltByteCount = 16
    package static let keyByteCount = 32

    package static func hash(
        _ password: String, parameters: ScryptParameters = .standard
    ) throws(SecretsError) -> String {
        let salt = try RandomBytes.make(saltByteCount)
        let key = try derive(digest(password), salt: salt, parameters, byteCount: keyByteCount)
        return "scrypt$\(parameters.logCost)$\(parameters.blockSize)$\(parameters.parallelism)"
            + "$\(Hexadecimal.encode(salt))$\(Hexadecimal.encode(key))"
    }

    /// Whether the password is the one that was hashed.
    ///
    /// Throws `malformedHash` for a text that `hash` cannot have made.
    package static func verify(
        _ password: String, against hash: String
    ) throws(SecretsError) -> Bool {
        let fields = hash.split(separator: "$", omittingEmptySubsequences: false)
        guard hash.utf8.count <= 256, fields.count == 6, fields[0] == "scrypt",
            let logCost = Int(fields[1]), let blockSize = Int(fields[2]),
            let parallelism = Int(fields[3]),
            let parameters = ScryptParameters(
                logCost: logCost, blockSize: blockSize, parallelism: parallelism),
            let salt = Hexadecimal.decode(fields[4]), salt.count == saltByteCount,
            let key = Hexadecimal.decode(fields[5]), key.count == keyByteCount
        else { throw .malformedHash }
        return ConstantTime.equal(
            try derive(digest(password), salt: salt, parameters, byteCount: key.count), key)
    }

    private static func digest(_ password: String) -> [UInt8] {
        Digest.sha256(Array(password.utf8))
    }

    /// RFC 7914's function.
    static func derive(
        _ secret: [UInt8], salt: [UInt8], _ parameters: ScryptParameters, byteCount: Int
    ) throws(SecretsError) -> [UInt8] {
        var key = [UInt8](repeating: 0, count: byteCount)
        let status = secret.withUnsafeBytes { bytes in
            EVP_PBE_scrypt(
                bytes.assumingMemoryBound(to: CChar.self).baseAddress, bytes.count, salt,
                salt.count, UInt64(1) << UInt64(parameters.logCost),
                UInt64(parameters.blockSize), UInt64(parameters.parallelism),
                UInt64(parameters.memoryBytes), &key, byteCount)
        }
        guard status == 1 else { throw .derivationFailed }
        return key
    }
}

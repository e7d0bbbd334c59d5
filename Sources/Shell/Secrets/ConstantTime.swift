import COpenSSL

/// Comparison whose time tells nothing about where two values differ.
package enum ConstantTime {
    /// Values of different length differ, and that may show in the time.
    package static func equal(_ one: [UInt8], _ two: [UInt8]) -> Bool {
        one.count == two.count && CRYPTO_memcmp(one, two, one.count) == 0
    }

    /// Compares digests, so that not even the length shows.
    package static func equal(_ one: some StringProtocol, _ two: some StringProtocol) -> Bool {
        equal(Digest.sha256(Array(one.utf8)), Digest.sha256(Array(two.utf8)))
    }
}

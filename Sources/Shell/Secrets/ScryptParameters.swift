/// The cost of one scrypt derivation (RFC 7914).
///
/// A stored hash names its own parameters, so they can be raised without losing old hashes. What
/// is beyond the bounds is not computed: a forged hash must not cost us gigabytes or minutes.
package struct ScryptParameters: Sendable, Hashable {
    /// N is 2 to this power.
    package let logCost: Int
    package let blockSize: Int
    package let parallelism: Int

    /// N = 32,768, r = 8, p = 1: 32 MiB, and about a tenth of a second.
    package static let standard = ScryptParameters(
        uncheckedLogCost: 15, blockSize: 8, parallelism: 1)
    /// The most that one derivation may use. Beyond: `SecretsError.malformedHash`.
    package static let maxMemoryBytes = 128 << 20

    /// Nil outside the bounds: N from 2 to 2^17, r from 1 to 32, p from 1 to 4, and at most
    /// `maxMemoryBytes`.
    package init?(logCost: Int, blockSize: Int, parallelism: Int) {
        guard (1...17).contains(logCost), (1...32).contains(blockSize),
            (1...4).contains(parallelism)
        else { return nil }
        self.init(uncheckedLogCost: logCost, blockSize: blockSize, parallelism: parallelism)
        guard memoryBytes <= Self.maxMemoryBytes else { return nil }
    }

    private init(uncheckedLogCost: Int, blockSize: Int, parallelism: Int) {
        logCost = uncheckedLogCost
        self.blockSize = blockSize
        self.parallelism = parallelism
    }

    /// What libcrypto takes for a derivation: the table, a block for each lane, and one to work on.
    var memoryBytes: Int { 128 * blockSize * ((1 << logCost) + parallelism + 2) }
}

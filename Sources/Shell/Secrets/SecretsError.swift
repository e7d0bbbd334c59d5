/// What can go wrong with secrets. Every case ends the one operation only.
package enum SecretsError: Error, Sendable, Hashable {
    /// The system gave no random bytes.
    case noRandomness
    /// libcrypto refused, for want of memory as a rule.
    case derivationFailed
    /// The stored form is none of ours, or asks for more work than `ScryptParameters` allows.
    case malformedHash
    /// `PasswordHasher.Limits.maxWaiting` operations wait already: try again later.
    case busy
    /// The hasher has been stopped.
    case stopped
}

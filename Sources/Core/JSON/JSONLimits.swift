/// What the validator accepts; beyond a limit it fails with the reason named here.
public struct JSONLimits: Hashable, Sendable {
    /// Levels of arrays and objects. Default 512; one more fails with `.depth`.
    public var maxDepth: Int
    /// Bytes of input, whitespace included. Default 64 MiB; one more fails with `.size`.
    public var maxBytes: Int

    public init(maxDepth: Int = 512, maxBytes: Int = 64 << 20) {
        self.maxDepth = maxDepth
        self.maxBytes = maxBytes
    }
}

/// The six kinds of JSON values.
public enum JSONKind: Hashable, Sendable {
    case null, bool, number, string, array, object
}

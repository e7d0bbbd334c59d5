/// What the reader accepts; beyond a limit it fails with the reason named here.
package struct MessagePackLimits: Hashable, Sendable {
    /// Levels of arrays and maps. Default 512, as for JSON; one more: `.depth`.
    package var maxDepth = 512
    /// Bytes of one message. Default 16 MiB; one more: `.size`.
    package var maxBytes = 16 << 20
    /// Values of one message, keys and nested ones included. Default 4,194,304, which an array of
    /// numbers of the largest size reaches; one more: `.tooManyValues`.
    package var maxValues = 4 << 20

    package init() {}
}

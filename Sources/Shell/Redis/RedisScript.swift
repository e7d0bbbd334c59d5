/// A Lua script with the name that Redis knows it by. Make it once, not for each call.
package struct RedisScript: Sendable, Hashable {
    package let source: String
    /// 40 hexadecimal digits, as `EVALSHA` takes them.
    package let sha1: String

    package init(_ source: String) {
        self.source = source
        sha1 = SHA1.hexDigest(source.utf8)
    }
}

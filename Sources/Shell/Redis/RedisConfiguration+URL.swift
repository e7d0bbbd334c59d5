import NIOSSL

/// Why a Redis address is refused. Holds no part of the input: any part may be the password.
package struct RedisURLError: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}

extension RedisConfiguration {
    /// Reads `redis://[user[:password]@]host[:port][/database]`; `rediss` means TLS.
    ///
    /// User and password are percent-decoded. Everything up to the last `@` is taken for
    /// credentials, so a password with `/` or `@` in it works unescaped. `?ca=<file>` names the
    /// certificate authority of a `rediss` server; no other query is known.
    package init(url: String) throws(RedisURLError) {
        let (scheme, rest) = try Self.split(url)
        let at = rest.lastIndex(of: "@")
        let location = at.map { rest[rest.index(after: $0)...] } ?? rest
        let (path, query) = location.cut(at: "?")
        let (authority, database) = path.cut(at: "/")
        self.init(
            address: try RedisAddress(parsing: authority, defaultPort: 6379),
            database: try Self.database(database ?? ""))
        if let at { try readCredentials(rest[..<at]) }
        if scheme == "rediss" { tls = .makeClientConfiguration() }
        if let query, !query.isEmpty { try readQuery(query) }
    }

    private static func split(
        _ url: String
    ) throws(RedisURLError) -> (scheme: String, rest: Substring) {
        for scheme in ["redis", "rediss"] {
            let start = scheme + "://"
            if url.prefix(start.count).lowercased() == start {
                return (scheme, url.dropFirst(start.count))
            }
        }
        throw RedisURLError("the Redis URL must begin with redis:// or rediss://")
    }

    private static func database(_ text: Substring) throws(RedisURLError) -> Int {
        if text.isEmpty { return 0 }
        guard let number = Int(text), number >= 0, text.utf8.allSatisfy(isDigit) else {
            throw RedisURLError("the database in the Redis URL must be a number from 0")
        }
        return number
    }

    private mutating func readCredentials(_ text: Substring) throws(RedisURLError) {
        let (user, secret) = text.cut(at: ":")
        guard let secret else {
            throw RedisURLError(
                "the Redis URL has a user without a password; write redis://:password@host for a "
                    + "password alone")
        }
        guard !secret.isEmpty else { throw RedisURLError("the password in the Redis URL is empty") }
        guard let decodedUser = percentDecoded(user), let decodedSecret = percentDecoded(secret)
        else {
            throw RedisURLError("the credentials in the Redis URL hold a % that escapes nothing")
        }
        username = decodedUser.isEmpty ? nil : decodedUser
        password = RedisSecret(decodedSecret)
    }

    private mutating func readQuery(_ query: Substring) throws(RedisURLError) {
        let (name, value) = query.cut(at: "=")
        guard name == "ca", let value, let file = percentDecoded(value), !file.isEmpty else {
            throw RedisURLError("the only query a Redis URL may have is ca=<file>")
        }
        guard tls != nil else { throw RedisURLError("ca=<file> needs a rediss:// URL") }
        tls?.trustRoots = .file(file)
    }
}

extension RedisSentinels {
    /// Reads `[name@]host[:port],host[:port]…`; the name is `mymaster`, the port 26379 unless given.
    package init(parsing text: String) throws(RedisURLError) {
        let (name, list) = text[...].cut(at: "@")
        let hosts = (list ?? name).split(separator: ",", omittingEmptySubsequences: false)
        var addresses: [RedisAddress] = []
        for host in hosts {
            addresses.append(try RedisAddress(parsing: host, defaultPort: 26_379))
        }
        if list != nil, name.isEmpty { throw RedisURLError("the name of the primary is empty") }
        self.init(addresses: addresses, primaryName: list == nil ? "mymaster" : String(name))
    }
}

extension RedisAddress {
    /// Reads `host`, `host:port`, `[v6]` or `[v6]:port`.
    package init(parsing text: Substring, defaultPort: Int) throws(RedisURLError) {
        var host = text
        var port: Substring?
        if text.first == "[" {
            let (address, rest) = text.dropFirst().cut(at: "]")
            guard let rest, rest.isEmpty || rest.first == ":" else {
                throw RedisURLError("the IPv6 address of Redis must be in brackets, as [::1]:6379")
            }
            host = address
            port = rest.isEmpty ? nil : rest.dropFirst()
        } else {
            (host, port) = text.cut(at: ":")
        }
        guard !host.isEmpty, !host.contains(where: { $0.isWhitespace }) else {
            throw RedisURLError("the host of Redis is missing or has a space in it")
        }
        self.init(host: String(host), port: defaultPort)
        guard let port else { return }
        guard port.utf8.allSatisfy(isDigit), let number = Int(port), (1...65_535).contains(number)
        else {
            throw RedisURLError("the port of Redis must be a number from 1 to 65535")
        }
        self.port = number
    }
}

extension Substring {
    /// The text before and after the first `separator`; nil after it where there is none.
    fileprivate func cut(at separator: Character) -> (Substring, Substring?) {
        guard let index = firstIndex(of: separator) else { return (self, nil) }
        return (self[..<index], self[self.index(after: index)...])
    }
}

private func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

private func percentDecoded(_ text: Substring) -> String? {
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
        guard byte == UInt8(ascii: "%") else {
            bytes.append(byte)
            continue
        }
        let digits = rest.prefix(2)
        guard digits.count == 2, let value = UInt8(String(digits) ?? "", radix: 16),
            digits.first != UInt8(ascii: "+"), digits.first != UInt8(ascii: "-")
        else { return nil }
        bytes.append(value)
        rest = rest.dropFirst(2)
    }
    return String(validating: bytes, as: UTF8.self)
}

/// The address at which browsers reach one instance: `http://localhost:3001`.
///
/// Kept as written, since clients compare a redirect's URL letter by letter with their own list
/// (CONTRACT.md § 6); hence no path, no query and no trailing slash.
package struct PublicURL: Sendable, Hashable, CustomStringConvertible {
    package let text: String
    package let isSecure: Bool
    /// In lower case; an IPv6 address in brackets.
    package let host: String
    package let port: Int

    package init(_ text: String) throws(Problem) {
        let lower = text.lowercased()
        let rest: Substring
        if lower.hasPrefix("https://") {
            isSecure = true
            rest = lower.dropFirst("https://".count)
        } else if lower.hasPrefix("http://") {
            isSecure = false
            rest = lower.dropFirst("http://".count)
        } else {
            throw .scheme
        }
        guard !rest.contains(where: { "/?#".contains($0) }) else { throw .path }
        guard let authority = Authority(rest) else { throw .authority }
        self.text = text
        host = authority.host
        port = authority.port ?? (isSecure ? 443 : 80)
    }

    package var description: String { text }

    package func isSamePlace(as other: PublicURL) -> Bool {
        other.host == host && other.port == port && other.isSecure == isSecure
    }

    /// Whether a `Host` or `X-Forwarded-Host` value, on a connection of this scheme, names the
    /// same place.
    package func isNamed(byHost header: String, isSecure: Bool) -> Bool {
        guard let authority = Authority(header.lowercased()[...]) else { return false }
        return authority.host == host && (authority.port ?? (isSecure ? 443 : 80)) == port
    }

    /// Whether an `Origin` value names the same place.
    package func isNamed(byOrigin header: String) -> Bool {
        guard let other = try? PublicURL(header) else { return false }
        return isSamePlace(as: other)
    }

    package enum Problem: Error, Sendable, Hashable {
        case scheme, path, authority

        package var explanation: String {
            switch self {
            case .scheme: "it must begin with http:// or https://"
            case .path: "it must end after host and port, without a slash, path or query"
            case .authority: "host or port is malformed"
            }
        }
    }
}

/// `host`, `host:port`, `[ipv6]` or `[ipv6]:port`.
struct Authority: Sendable, Hashable {
    let host: String
    let port: Int?

    init?(_ text: Substring) {
        let hostText: Substring
        let portText: Substring?
        if text.first == "[" {
            guard let end = text.firstIndex(of: "]") else { return nil }
            hostText = text[...end]
            let rest = text[text.index(after: end)...]
            guard rest.isEmpty || rest.first == ":" else { return nil }
            portText = rest.isEmpty ? nil : rest.dropFirst()
            let address = hostText.dropFirst().dropLast()
            guard address.contains(":"), address.allSatisfy(Self.isAddressCharacter) else {
                return nil
            }
        } else {
            let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            hostText = parts[0]
            portText = parts.count == 2 ? parts[1] : nil
            guard !hostText.isEmpty, hostText.allSatisfy(Self.isNameCharacter) else { return nil }
        }
        if let portText {
            guard portText.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                let number = Int(portText), (1...65_535).contains(number)
            else { return nil }
            port = number
        } else {
            port = nil
        }
        host = String(hostText)
    }

    private static func isAddressCharacter(_ character: Character) -> Bool {
        character.isASCII && (character.isHexDigit || character == ":" || character == ".")
    }

    private static func isNameCharacter(_ character: Character) -> Bool {
        character.isASCII
            && (character.isLetter || character.isNumber || "._-".contains(character))
    }
}

import NIOCore

/// A range of IP addresses in CIDR notation: `10.0.0.0/8`, `::1`, `fd00::/8`.
public struct AddressRange: Sendable, Hashable {
    private let prefix: [UInt8]
    private let bitCount: Int

    /// `127.0.0.0/8` and `::1`.
    public static let loopback = [AddressRange("127.0.0.0/8"), AddressRange("::1")]
        .compactMap { $0 }

    /// Nil where `text` is neither an address nor an address with a fitting `/bits`.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let bytes = Self.bytes(of: String(first)) else {
            return nil
        }
        if parts.count == 2 {
            guard let bits = Int(parts[1]), (0...bytes.count * 8).contains(bits) else {
                return nil
            }
            bitCount = bits
        } else {
            bitCount = bytes.count * 8
        }
        prefix = bytes
    }

    /// Whether the address in text form lies in the range; false for what is no address.
    public func contains(_ address: String) -> Bool {
        Self.bytes(of: address).map(contains) ?? false
    }

    fileprivate func contains(_ bytes: [UInt8]) -> Bool {
        guard bytes.count == prefix.count else { return false }
        for (index, byte) in bytes.enumerated() {
            let bits = min(8, bitCount - index * 8)
            if bits <= 0 { break }
            let mask = UInt8(truncatingIfNeeded: 0xFF << (8 - bits))
            if byte & mask != prefix[index] & mask { return false }
        }
        return true
    }

    /// Network-order bytes; an IPv4 address mapped into IPv6 counts as IPv4.
    static func bytes(of address: String) -> [UInt8]? {
        guard let parsed = try? SocketAddress(ipAddress: address, port: 0) else { return nil }
        switch parsed {
        case .v4(let v4):
            return withUnsafeBytes(of: v4.address.sin_addr) { Array($0) }
        case .v6(let v6):
            let bytes = withUnsafeBytes(of: v6.address.sin6_addr) { Array($0) }
            let mapped: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]
            return bytes.starts(with: mapped) ? Array(bytes.suffix(4)) : bytes
        case .unixDomainSocket:
            return nil
        }
    }
}

extension [AddressRange] {
    /// Whether one of the ranges contains the address in text form.
    func cover(_ address: String) -> Bool {
        guard !isEmpty, let bytes = AddressRange.bytes(of: address) else { return false }
        return contains { $0.contains(bytes) }
    }
}

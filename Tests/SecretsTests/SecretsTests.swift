import NIOPosix
import Testing

@testable import Secrets

private let cheap = ScryptParameters(logCost: 4, blockSize: 8, parallelism: 1)

@Suite struct DigestTests {
    @Test("SHA-256 gives the digests of FIPS 180-4")
    func sha256() {
        #expect(
            Digest.sha256Hex("abc")
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(
            Digest.sha256Hex("")
                == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    }

    @Test("HMAC-SHA-256 gives the codes of RFC 4231")
    func hmac() {
        let one = Digest.hmacSHA256(
            key: [UInt8](repeating: 0x0B, count: 20), Array("Hi There".utf8))
        #expect(
            Hexadecimal.encode(one)
                == "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7")
        let two = Digest.hmacSHA256(
            key: Array("Jefe".utf8), Array("what do ya want for nothing?".utf8))
        #expect(
            Hexadecimal.encode(two)
                == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        let long = Digest.hmacSHA256(
            key: [UInt8](repeating: 0xAA, count: 131),
            Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8))
        #expect(
            Hexadecimal.encode(long)
                == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54")
        #expect(Digest.hmacSHA256(key: [], []).count == 32)
    }

    @Test("comparison tells equal from different, whatever the lengths")
    func comparison() {
        #expect(ConstantTime.equal([1, 2, 3], [1, 2, 3]))
        #expect(!ConstantTime.equal([1, 2, 3], [1, 2, 4]))
        #expect(!ConstantTime.equal([1, 2, 3], [1, 2]))
        #expect(ConstantTime.equal([UInt8](), []))
        #expect(ConstantTime.equal("token", "token"))
        #expect(!ConstantTime.equal("token", "Token"))
        #expect(!ConstantTime.equal("token", ""))
    }

    @Test("tokens have the length and alphabet that they promise, and are never the same")
    func tokens() throws {
        var seen: Set<String> = []
        for _ in 0..<200 {
            let hex = try RandomBytes.hexToken()
            #expect(hex.count == 32 && Hexadecimal.decode(hex)?.count == 16)
            seen.insert(hex)
            for (count, length) in [(16, 22), (1, 2), (2, 3), (3, 4)] {
                let token = try RandomBytes.base64URLToken(byteCount: count)
                #expect(token.count == length)
                #expect(
                    token.allSatisfy {
                        $0.isASCII && ($0.isLetter || $0.isNumber || "-_".contains($0))
                    })
            }
        }
        #expect(seen.count == 200)
        #expect(try RandomBytes.make(0) == [] && RandomBytes.make(-1) == [])
    }

    @Test("hexadecimal digits are read in both cases, and nothing else is")
    func hexadecimal() {
        #expect(Hexadecimal.decode("00fFAb") == [0, 0xFF, 0xAB])
        for text in ["0", "0g", "+1", " 1", "é"] { #expect(Hexadecimal.decode(text) == nil) }
    }
}

@Suite struct ScryptTests {
    @Test("keys are those of RFC 7914")
    func vectors() throws {
        let empty = try #require(ScryptParameters(logCost: 4, blockSize: 1, parallelism: 1))
        #expect(
            Hexadecimal.encode(try Scrypt.derive([], salt: [], empty, byteCount: 64))
                == "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"
                + "fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906")
        let salt = try #require(ScryptParameters(logCost: 14, blockSize: 8, parallelism: 1))
        #expect(
            Hexadecimal.encode(
                try Scrypt.derive(
                    Array("pleaseletmein".utf8), salt: Array("SodiumChloride".utf8), salt,
                    byteCount: 64))
                == "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
                + "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887")
    }

    @Test("the password opens its own hash, and nothing else does")
    func verifies() throws {
        let hash = try Scrypt.hash("contraseña", parameters: try #require(cheap))
        #expect(hash.hasPrefix("scrypt$4$8$1$"))
        #expect(!hash.contains("contrase"))
        #expect(try Scrypt.verify("contraseña", against: hash))
        for wrong in ["contrasena", "", "contraseña ", "CONTRASEÑA", "contraseña\u{0}"] {
            #expect(try !Scrypt.verify(wrong, against: hash))
        }
        #expect(try Scrypt.hash("contraseña", parameters: try #require(cheap)) != hash)
    }

    @Test("the standard parameters work, and are the ones stored")
    func standard() throws {
        let hash = try Scrypt.hash("x")
        #expect(hash.hasPrefix("scrypt$15$8$1$"))
        #expect(try Scrypt.verify("x", against: hash))
    }

    @Test("a hash that is forged, cut or greedy is refused without being computed")
    func malformed() throws {
        let good = try Scrypt.hash("x", parameters: try #require(cheap))
        let tail = good.split(separator: "$").suffix(2).joined(separator: "$")
        let bad = [
            "", "x", "$$$$$", "scrypt", String(good.dropLast()), good + "$", good + "00",
            "bcrypt" + good.dropFirst(6), "scrypt$31$8$1$\(tail)", "scrypt$17$32$4$\(tail)",
            "scrypt$4$8$9999999999999999999$\(tail)", "scrypt$-4$8$1$\(tail)",
            "scrypt$0$8$1$\(tail)", "scrypt$4$0$1$\(tail)", "scrypt$4$8$0$\(tail)",
            "scrypt$4$8$1$$", String(repeating: "scrypt$", count: 10_000),
        ]
        for hash in bad {
            #expect(throws: SecretsError.malformedHash, "\(hash.prefix(60))") {
                try Scrypt.verify("x", against: hash)
            }
        }
    }
}

@Suite struct PasswordHasherTests {
    @Test("hashing and verifying happen off the loop and come back on it")
    func roundTrip() async throws {
        let hasher = PasswordHasher(
            group: MultiThreadedEventLoopGroup.singleton, parameters: try #require(cheap))
        let hash = try await hasher.hash("secret").get()
        #expect(try await hasher.verify("secret", hash).get())
        #expect(try await !hasher.verify("Secret", hash).get())
        await #expect(throws: SecretsError.malformedHash) {
            try await hasher.verify("secret", "nonsense").get()
        }
        #expect(hasher.waitingCount == 0)
        await hasher.stop()
    }

    @Test("more than the limit are refused at once, and the rest is answered")
    func limit() async throws {
        var limits = PasswordHasher.Limits()
        limits.threads = 1
        limits.maxWaiting = 3
        let hasher = PasswordHasher(
            group: MultiThreadedEventLoopGroup.singleton,
            parameters: try #require(
                ScryptParameters(logCost: 14, blockSize: 8, parallelism: 1)), limits: limits)
        let futures = (0..<8).map { hasher.hash("p\($0)") }
        var answered = 0
        var busy = 0
        for future in futures {
            do {
                _ = try await future.get()
                answered += 1
            } catch SecretsError.busy {
                busy += 1
            }
        }
        #expect(answered == 3 && busy == 5)
        #expect(try await hasher.hash("again").get().hasPrefix("scrypt$"))
        await hasher.stop()
    }

    @Test("a password that was right is known again, whether or not its room was made here")
    func knownAgain() async throws {
        let other = hasher()
        let hash = try await other.hash("secret").get()
        let hasher = hasher()
        #expect(try await hasher.verify("secret", hash).get())
        let own = try await hasher.hash("own").get()
        await hasher.stop()
        await other.stop()
        #expect(try await hasher.verify("secret", hash).get())
        #expect(try await hasher.verify("own", own).get())
    }

    @Test("nothing else is known: not a wrong one, nor a right one with another room's hash")
    func notKnown() async throws {
        let hasher = hasher()
        let hash = try await hasher.hash("secret").get()
        #expect(try await !hasher.verify("wrong", hash).get())
        await hasher.stop()
        let foreign = try Scrypt.hash("secret", parameters: try #require(cheap))
        for (password, hash) in [("wrong", hash), ("secret", foreign), ("secre", "t" + hash)] {
            await #expect(throws: SecretsError.stopped) {
                try await hasher.verify(password, hash).get()
            }
        }
    }

    @Test("of many who come at once with one password, one is derived")
    func together() async throws {
        var limits = PasswordHasher.Limits()
        limits.maxWaiting = 1
        let slow = try #require(ScryptParameters(logCost: 14, blockSize: 8, parallelism: 1))
        let hasher = hasher(slow, limits)
        for password in ["secret", "wrong"] {
            let hash = try Scrypt.hash("secret", parameters: slow)
            let futures = (0..<50).map { _ in hasher.verify(password, hash) }
            for future in futures { #expect(try await future.get() == (password == "secret")) }
        }
        #expect(hasher.waitingCount == 0)
        await hasher.stop()
    }

    @Test("the oldest are forgotten beyond the limit")
    func forgotten() async throws {
        var limits = PasswordHasher.Limits()
        limits.shownPasswords = 2
        let hasher = hasher(nil, limits)
        var hashes: [String] = []
        for number in 0..<3 { hashes.append(try await hasher.hash("p\(number)").get()) }
        await hasher.stop()
        #expect(try await hasher.verify("p1", hashes[1]).get())
        #expect(try await hasher.verify("p2", hashes[2]).get())
        await #expect(throws: SecretsError.stopped) {
            try await hasher.verify("p0", hashes[0]).get()
        }
    }

    private func hasher(
        _ parameters: ScryptParameters? = nil, _ limits: PasswordHasher.Limits = .init()
    ) -> PasswordHasher {
        PasswordHasher(
            group: MultiThreadedEventLoopGroup.singleton,
            parameters: parameters ?? cheap ?? .standard, limits: limits)
    }

    @Test("a stopped hasher refuses")
    func stopped() async throws {
        let hasher = PasswordHasher(
            group: MultiThreadedEventLoopGroup.singleton, parameters: try #require(cheap))
        await hasher.stop()
        await #expect(throws: SecretsError.stopped) { try await hasher.hash("x").get() }
        #expect(hasher.waitingCount == 0)
    }
}

import Testing

@testable import tandem

@Suite struct OriginPolicyTests {
    @Test(arguments: [
        ("https://rooms.example.org", "https://rooms.example.org", true),
        ("https://rooms.example.org", "https://ROOMS.example.org", true),
        ("https://rooms.example.org", "http://rooms.example.org", false),
        ("https://rooms.example.org", "https://rooms.example.org:8443", false),
        ("https://*.genodev.com.co", "https://app.genodev.com.co", true),
        ("https://*.genodev.com.co", "https://a.b.genodev.com.co", true),
        ("https://*.genodev.com.co", "https://genodev.com.co", false),
        ("https://*.genodev.com.co", "https://evil.org/.genodev.com.co", false),
        ("https://*.genodev.com.co", "https://app.genodev.com.co.evil.org", false),
        ("https://*.genodev.com.co", "xhttps://app.genodev.com.co", false),
        ("*://*.example.org:*", "http://a.example.org:81", true),
        ("http://a*b*c", "http://abxbc", true), ("http://a*b*c", "http://acb", false),
        ("*", "https://anything.example:1/with/path", true), ("*", "null", true),
        ("https://x", "", false),
    ])
    func aStarStandsForAnyRunWithoutASlash(pattern: String, origin: String, isAllowed: Bool) {
        #expect(OriginPolicy(patterns: [pattern]).allows(origin) == isAllowed)
    }

    @Test func withoutPatternsNobodyIsAllowed() {
        #expect(!OriginPolicy(patterns: []).allows("http://localhost"))
    }

    @Test(arguments: [
        "http://localhost", "http://localhost:5173", "https://localhost:3001",
        "http://127.0.0.1:8080", "http://[::1]:3001",
    ])
    func thePagesOfADeveloperAreAllowedByDefault(origin: String) throws {
        #expect(try Settings(environment: [:]).origins.allows(origin))
    }

    @Test func aLongOriginOfAStrangerIsRefusedInTime() {
        let policy = OriginPolicy(patterns: ["https://*.*.*.example.org"])
        let origin = "https://" + String(repeating: "a.", count: 100) + "example.com"
        #expect(!policy.allows(origin))
    }

    @Test("many wildcards cost no more than few", .timeLimit(.minutes(1)))
    func manyWildcards() {
        let policy = OriginPolicy(patterns: [
            "http://" + String(repeating: "*a", count: 40) + "!", "http://*.*.b",
        ])
        #expect(!policy.allows("http://" + String(repeating: "a", count: 290)))
        #expect(policy.allows("http://a.b.a.b.b"))
        #expect(!policy.allows("http://a.b/a.b"))
    }
}

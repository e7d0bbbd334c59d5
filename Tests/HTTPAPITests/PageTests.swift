import HTTPAPI
import NIOHTTP1
import Testing

/// The page and its parts, as an instance serves them from memory.
@Suite struct PageTests {
    @Test("the root is the page")
    func root() async throws {
        let answer = try await Client().send(.GET, "/")
        #expect(answer.code == 200)
        #expect(answer.header("content-type") == "text/html; charset=utf-8")
        #expect(answer.text.hasPrefix("<!doctype html>"))
        #expect(answer.text.contains("/socket.io/socket.io.min.js"))
        #expect(answer.text.contains("/api/health"))
    }

    @Test("everything that the page and its modules name is served, with its type")
    func parts() async throws {
        var wanted = try await names(in: "/", after: #""./assets/"#).map { "/assets/\($0)" }
        #expect(wanted.contains("/assets/main.js") && wanted.contains("/assets/page.css"))
        var seen: Set<String> = []
        while let path = wanted.popLast() {
            guard seen.insert(path).inserted else { continue }
            let answer = try await Client().send(.GET, path)
            #expect(answer.code == 200, "\(path)")
            let type = try #require(answer.header("content-type"))
            if path.hasSuffix(".js") {
                #expect(type == "text/javascript; charset=utf-8")
                wanted += try await names(in: path, after: #" from "./"#).map { "/assets/\($0)" }
            } else if path.hasSuffix(".css") {
                #expect(type == "text/css; charset=utf-8")
            } else {
                #expect(path.hasSuffix(".svg") && type == "image/svg+xml")
            }
        }
        #expect(seen.count > 10)
    }

    @Test("nothing in the page is inline, and its policy allows this cluster only")
    func policy() async throws {
        let answer = try await Client().send(.GET, "/")
        let policy = try #require(answer.header("content-security-policy"))
        #expect(policy.contains("default-src 'none'") && policy.contains("script-src 'self';"))
        #expect(!policy.contains("unsafe") && !policy.contains("*"))
        let nodes = "http://localhost:3001 ws://localhost:3001 http://localhost:3002"
        #expect(policy.contains("connect-src 'self' \(nodes) ws://localhost:3002;"))
        #expect(!answer.text.contains("<style") && !answer.text.contains(" style="))
        #expect(
            answer.text.ranges(of: "<script").count == answer.text.ranges(of: "></script>").count)
        #expect(!answer.text.contains("onclick") && !answer.text.contains("javascript:"))
    }

    @Test(
        "a URL that would end the policy is left out of it", arguments: [";", " ", ",", "\n", "ä"])
    func policyInjection(character: String) async throws {
        var source = FakeSource()
        source.instanceReport.nodes[1].url = "http://a\(character)script-src * 'unsafe-inline'"
        let answer = try await Client(source).send(.GET, "/")
        let policy = try #require(answer.header("content-security-policy"))
        #expect(policy.contains("http://localhost:3001") && !policy.contains("unsafe"))
    }

    @Test("no page takes anything from elsewhere, or puts text in as markup")
    func ownResourcesOnly() async throws {
        for path in ["/"]
            + (try await names(in: "/", after: #""./assets/"#).map { "/assets/\($0)" })
        {
            let text = try await Client().send(.GET, path).text
            #expect(!text.contains("innerHTML") && !text.contains("insertAdjacentHTML"))
            let outside = text.replacing("http://www.w3.org/2000/svg", with: "")
            #expect(!outside.contains("http://") && !outside.contains("https://"), "\(path)")
        }
    }

    @Test(
        "who has the file is told so with 304, whoever has another gets it",
        arguments: ["/", "/assets/main.js", "/socket.io/socket.io.min.js"])
    func conditional(path: String) async throws {
        let client = withClient()
        let first = try await client.send(.GET, path)
        let tag = try #require(first.header("etag"))
        #expect(first.code == 200 && tag.hasPrefix("\"") && tag.hasSuffix("\""))
        for held in [tag, "W/\(tag)", "\"x\", \(tag)", "*"] {
            let answer = try await client.send(.GET, path, headers: ["If-None-Match": held])
            #expect(answer.code == 304 && answer.text.isEmpty, "\(held)")
            #expect(answer.header("etag") == tag)
            #expect(answer.header("cache-control") == first.header("cache-control"))
        }
        for other in ["\"x\"", "", tag + "x"] {
            #expect(
                try await client.send(.GET, path, headers: ["If-None-Match": other]).code == 200)
        }
    }

    @Test("parts are asked for anew each time, the stock client is kept a day")
    func caching() async throws {
        let client = withClient()
        #expect(try await client.send(.GET, "/").header("cache-control") == "no-cache")
        #expect(
            try await client.send(.GET, "/assets/main.js").header("cache-control") == "no-cache")
        let stock = try await client.send(.GET, "/socket.io/socket.io.min.js")
        #expect(stock.header("cache-control") == "public, max-age=86400")
        #expect(stock.header("x-content-type-options") == "nosniff")
        #expect(stock.header("set-cookie") == nil)
        #expect(stock.text == "// the client")
    }

    @Test("without the stock client its path is 404 and says what to do")
    func missingClient() async throws {
        let answer = try await Client().send(.GET, "/socket.io/socket.io.min.js")
        #expect(answer.code == 404)
        #expect(try answer.errorCode() == "CLIENT_MISSING")
        #expect(answer.text.contains("scripts/fetch-client.sh"))
        #expect(answer.header("cache-control") == "no-store")
    }

    @Test("HEAD is answered as GET is")
    func head() async throws {
        for path in ["/", "/assets/main.js"] {
            let head = try await Client().send(.HEAD, path)
            let get = try await Client().send(.GET, path)
            #expect(head.code == 200 && head.response.headers == get.response.headers)
        }
    }

    private func withClient() -> Client {
        Client {
            $0.clientFile = StaticFile(
                contentType: "text/javascript; charset=utf-8",
                cacheControl: "public, max-age=86400", bytes: Array("// the client".utf8))
        }
    }

    /// The file names that stand behind a marker, up to the closing quote.
    private func names(in path: String, after marker: String) async throws -> [String] {
        let text = try await Client().send(.GET, path).text
        return text.split(separator: marker, omittingEmptySubsequences: false).dropFirst()
            .compactMap { $0.split(separator: "\"").first.map(String.init) }
    }
}

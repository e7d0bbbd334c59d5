import Testing

@testable import tandem

@Suite struct EnvironmentFileTests {
    @Test func readsAssignmentsAsShellsDo() {
        let file = EnvironmentFile(
            text: """
                # a comment
                PORT=3002

                export HOST=127.0.0.1
                 REDIS_URL = redis://localhost:6379/0
                """, name: "test.env")
        #expect(file.problems.isEmpty)
        #expect(
            file.values == [
                "PORT": "3002", "HOST": "127.0.0.1", "REDIS_URL": "redis://localhost:6379/0",
            ])
    }
}

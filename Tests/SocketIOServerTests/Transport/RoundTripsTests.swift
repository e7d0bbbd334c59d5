import Testing

@testable import SocketIOServer

@Suite struct RoundTripsTests {
    private final class Calls {
        var names: [String] = []
    }

    private var calls = Calls()

    private func answer(_ trips: inout RoundTrips) -> [String] {
        calls.names = []
        for body in trips.answered() { body() }
        return calls.names
    }

    @Test func theNthPongAnswersTheNthPing() {
        var trips = RoundTrips()
        trips.pinged()  // a heartbeat, still under way
        trips.pinged()
        trips.afterAnswer { [calls] in calls.names.append("first") }
        trips.afterAnswer { [calls] in calls.names.append("second") }
        trips.pinged()
        trips.afterAnswer { [calls] in calls.names.append("third") }
        #expect(answer(&trips) == [])
        #expect(answer(&trips) == ["first", "second"])
        #expect(answer(&trips) == ["third"])
        #expect(answer(&trips) == [])
    }

    @Test func aPongThatNobodyAskedForAnswersNothing() {
        var trips = RoundTrips()
        for _ in 0..<5 { #expect(answer(&trips) == []) }
        trips.pinged()
        trips.afterAnswer { [calls] in calls.names.append("late") }
        #expect(answer(&trips) == ["late"])
    }
}

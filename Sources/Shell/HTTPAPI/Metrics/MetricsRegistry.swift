import Atomics
import NIOConcurrencyHelpers

/// Metrics that code counts as it goes. Callable from any thread; counting is one atomic addition
/// once the counter is in hand.
package final class MetricsRegistry: Sendable {
    /// Time series. Beyond: what is new is counted nowhere, so that no client's words fill memory.
    package static let maxSeries = 1_000

    fileprivate struct Key: Sendable, Hashable {
        let metric: Metric
        let labels: [String]
    }

    fileprivate enum Series: Sendable {
        case counter(Counter, MetricSamples.Labels)
        case histogram(Histogram)
    }

    fileprivate struct State: Sendable {
        var series: [Key: Series] = [:]
        var order: [Key] = []
    }

    private let state = NIOLockedValueBox(State())

    package init() {}

    /// The counter or gauge of that metric and those labels: always the same one.
    package func counter(_ metric: Metric, _ labels: MetricSamples.Labels = []) -> Counter {
        let key = Key(metric: metric, labels: labels.flatMap { [$0.name, $0.value] })
        return state.withLockedValue { state in
            if case .counter(let known, _)? = state.series[key] { return known }
            let counter = Counter()
            state.insert(.counter(counter, labels), key)
            return counter
        }
    }

    /// - Parameter bounds: upper bounds of the buckets in seconds, rising.
    package func histogram(_ metric: Metric, _ bounds: [Double]) -> Histogram {
        let key = Key(metric: metric, labels: [])
        return state.withLockedValue { state in
            if case .histogram(let known)? = state.series[key] { return known }
            let histogram = Histogram(bounds: bounds)
            state.insert(.histogram(histogram), key)
            return histogram
        }
    }

    package func collect(into samples: inout MetricSamples) {
        let state = state.withLockedValue { $0 }
        for key in state.order {
            switch state.series[key] {
            case .counter(let counter, let labels):
                samples.set(key.metric, counter.value, labels)
            case .histogram(let histogram): histogram.collect(key.metric, into: &samples)
            case nil: break
            }
        }
    }

    /// A sum, or a level that goes up and down.
    package final class Counter: Sendable {
        private let count = ManagedAtomic(0)

        package func add(_ amount: Int = 1) {
            count.wrappingIncrement(by: amount, ordering: .relaxed)
        }

        package func set(_ value: Int) { count.store(value, ordering: .relaxed) }

        package var value: Int { count.load(ordering: .relaxed) }
    }

    /// How often a duration fell into which range.
    package final class Histogram: Sendable {
        private let bounds: [Double]
        /// One for each bound, and one for what is above all.
        private let counts: [ManagedAtomic<Int>]
        private let nanoseconds = ManagedAtomic(0)

        init(bounds: [Double]) {
            self.bounds = bounds
            counts = (0...bounds.count).map { _ in ManagedAtomic(0) }
        }

        package func observe(_ duration: Duration) {
            let seconds = duration.seconds
            let bucket = bounds.firstIndex { seconds <= $0 } ?? bounds.count
            counts[bucket].wrappingIncrement(ordering: .relaxed)
            nanoseconds.wrappingIncrement(
                by: Int(exactly: (seconds * 1e9).rounded()) ?? 0, ordering: .relaxed)
        }

        func collect(_ metric: Metric, into samples: inout MetricSamples) {
            var sum = 0
            for (index, count) in counts.enumerated() {
                sum += count.load(ordering: .relaxed)
                let bound = index < bounds.count ? MetricSamples.text(of: bounds[index]) : "+Inf"
                samples.add(metric, suffix: "_bucket", Double(sum), [("le", bound)])
            }
            let seconds = Double(nanoseconds.load(ordering: .relaxed)) / 1e9
            samples.add(metric, suffix: "_sum", seconds, [])
            samples.add(metric, suffix: "_count", Double(sum), [])
        }
    }
}

extension MetricsRegistry.State {
    fileprivate mutating func insert(_ new: MetricsRegistry.Series, _ key: MetricsRegistry.Key) {
        guard order.count < MetricsRegistry.maxSeries else { return }
        series[key] = new
        order.append(key)
    }
}

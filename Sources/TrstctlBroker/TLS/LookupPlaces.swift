import Synchronization

/// How many look-ups may be under way at a time: one that is left behind keeps its thread until the resolver gives up.
final class LookupPlaces: Sendable {
    let limit: Int
    private let taken = Mutex(0)

    init(_ limit: Int) {
        self.limit = limit
    }

    /// True when there was a place; give it back with `leave`.
    func take() -> Bool {
        taken.withLock { taken in
            guard taken < limit else { return false }
            taken += 1
            return true
        }
    }

    func leave() {
        taken.withLock { $0 -= 1 }
    }
}

/// In which order items are worked on that come from several origins: the next one is the first of the origin that has
/// the fewest under way.
///
/// A connector that keeps its targets waiting cannot keep all places: another one's get theirs as soon as one is free.
struct FairOrder {
    private struct Line {
        /// The items that wait, the next one last.
        var waiting: [Int] = []
        var underWay = 0
    }

    private var lines: [Line] = []
    /// The line of each item.
    private let places: [Int]

    /// - Parameter origins: of each item, in the order in which they are worked on as far as nothing speaks against it.
    init<Origin: Hashable>(of origins: [Origin]) {
        var known: [Origin: Int] = [:]
        var places: [Int] = []
        for origin in origins {
            let place = known[origin] ?? known.count
            known[origin] = place
            places.append(place)
        }
        self.places = places
        lines = [Line](repeating: Line(), count: known.count)
        for (item, place) in places.enumerated().reversed() { lines[place].waiting.append(item) }
    }

    /// The number of the item that is next, and counts as under way from now on; nil when none is left.
    mutating func next() -> Int? {
        let ranked = lines.indices.compactMap { place in
            lines[place].waiting.last.map { (rank: (lines[place].underWay, $0), place: place) }
        }
        guard let place = ranked.min(by: { $0.rank < $1.rank })?.place else { return nil }
        lines[place].underWay += 1
        return lines[place].waiting.popLast()
    }

    /// Notes that an item that `next` gave is done.
    mutating func end(_ item: Int) { lines[places[item]].underWay -= 1 }
}

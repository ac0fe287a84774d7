/// The known word that a mistyped one was most likely meant to be: at most two edits away (Levenshtein), or nil.
func suggestion(for word: [UInt8], among known: [String]) -> String? {
    guard word.count <= 64 else { return nil }
    let ranked = known.map { (word: $0, distance: editDistance(word, Array($0.utf8))) }
    guard let best = ranked.min(by: { $0.distance < $1.distance }) else { return nil }
    return best.distance <= min(2, max(1, word.count / 2)) ? best.word : nil
}

private func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    var row = Array(0...right.count)
    for (index, byte) in left.enumerated() {
        var next = [index + 1]
        var cheapest = index + 1
        for ((above, diagonal), other) in zip(zip(row.dropFirst(), row), right) {
            cheapest = min(above + 1, cheapest + 1, diagonal + (byte == other ? 0 : 1))
            next.append(cheapest)
        }
        row = next
    }
    return row.last ?? 0
}

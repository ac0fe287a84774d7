import CTrstctlSystem
import Glibc

/// Where `SecretMemory` comes from: small pieces out of slabs that stay mapped, large ones with a mapping of their own.
///
/// A key has a few kilobytes at most, so keys come out of slabs. Content of unknown size (a file that is replaced) may be
/// large: it gets no more than a share of the locked memory, so that it cannot push keys out of it.
enum SecretPool {
    /// What a piece is part of.
    enum Place: Sendable {
        /// An index into `sizes`.
        case slab(Int)
        /// Its own pages, and whether they are locked.
        case pages(Int, isLocked: Bool)

        var size: Int {
            switch self {
            case .slab(let index): SecretPool.sizes[index]
            case .pages(let size, _): size
            }
        }
    }

    private struct State: @unchecked Sendable {
        var free = [[UnsafeMutableRawPointer]](repeating: [], count: SecretPool.sizes.count)
        var usage = SecretMemory.Usage()
        var lockedLarge = 0
    }

    /// The sizes of pieces; each divides `slabSize`.
    static let sizes = [256, 1_024, 4_096, 16_384]
    static let slabSize = 65_536
    static let pageSize = max(4_096, sysconf(Int32(_SC_PAGESIZE)))
    /// The most locked bytes that large pieces take, whatever the limit is.
    private static let mostLockedLarge = 16 << 20

    private static let state = Locked(State())

    static var usage: SecretMemory.Usage { state.withLock { $0.usage } }

    static func take(_ capacity: Int) -> (UnsafeMutableRawPointer, Place) {
        guard let index = sizes.firstIndex(where: { capacity <= $0 }) else { return takePages(capacity) }
        return state.withLock { state in
            if state.free[index].isEmpty { addSlab(index, &state) }
            guard let piece = state.free[index].popLast() else { fatalError("out of memory") }
            return (piece, .slab(index))
        }
    }

    static func giveBack(_ piece: UnsafeMutableRawPointer, _ place: Place) {
        switch place {
        case .slab(let index): state.withLock { $0.free[index].append(piece) }
        case .pages(let size, let isLocked):
            trstctl_secret_unmap(piece, size)
            state.withLock { state in
                if isLocked {
                    state.usage.locked -= size
                    state.lockedLarge -= size
                } else {
                    state.usage.unlocked -= size
                }
            }
        }
    }

    private static func addSlab(_ index: Int, _ state: inout State) {
        var isLocked: Int32 = 0
        guard let slab = trstctl_secret_map(slabSize, 1, &isLocked) else { fatalError("out of memory") }
        count(slabSize, isLocked != 0, &state)
        if isLocked == 0 { state.usage.unlockedSmall += slabSize }
        for offset in stride(from: slabSize - sizes[index], through: 0, by: -sizes[index]) {
            state.free[index].append(slab + offset)
        }
    }

    private static func takePages(_ capacity: Int) -> (UnsafeMutableRawPointer, Place) {
        let (sum, overflow) = capacity.addingReportingOverflow(pageSize - 1)
        guard !overflow else { fatalError("out of memory") }
        let size = sum / pageSize * pageSize
        let share = min(mostLockedLarge, (SecretMemory.limit ?? .max) / 2)
        let mayLock = state.withLock { $0.lockedLarge <= share - size }
        var isLocked: Int32 = 0
        guard let pages = trstctl_secret_map(size, mayLock ? 1 : 0, &isLocked) else { fatalError("out of memory") }
        state.withLock { state in
            count(size, isLocked != 0, &state)
            if isLocked != 0 { state.lockedLarge += size }
        }
        return (pages, .pages(size, isLocked: isLocked != 0))
    }

    private static func count(_ size: Int, _ isLocked: Bool, _ state: inout State) {
        if isLocked {
            state.usage.locked += size
        } else {
            state.usage.unlocked += size
            state.usage.mostUnlocked = max(state.usage.mostUnlocked, state.usage.unlocked)
        }
    }
}

import Glibc
import TrstctlProcess
package import TrstctlSystem

/// The control groups of one connector: limits of processes and memory, and in version 2 a group that dies as one.
///
/// Removed with this value, which the child holds until it is reaped. The name holds the host's process number: the
/// next host removes what one that was killed left behind.
package final class ControlGroup: Sendable {
    /// The groups' directories.
    package let directories: [String]
    /// For a report, for example `v1` or `v2`.
    package let summary: String
    private let unified: SharedDescriptor?
    private let processes: [SharedDescriptor]
    private let killFile: String?

    /// Makes the groups; nobody is in them yet.
    ///
    /// - Parameter limits: what the connector may take.
    /// - Throws: `SystemError` naming the controller that is not there, or the file that could not be written.
    package convenience init(_ limits: ConfinementLimits) throws(SystemError) {
        try self.init(limits, in: ControlGroup.hierarchies)
    }

    init(_ limits: ConfinementLimits, in hierarchies: [CgroupHierarchy]) throws(SystemError) {
        let random = UInt64.random(in: .min ... .max)
        let name = "\(ControlGroup.prefix)\(getpid())-\(String(random, radix: 16))"
        var made: [String] = []
        do throws(SystemError) {
            for (hierarchy, controllers) in try ControlGroup.places(hierarchies) {
                do throws(SystemError) {
                    made.append(try ControlGroup.make(name, hierarchy, controllers, limits))
                } catch {
                    // Only for killing: seccomp denies the processes that it would reach.
                    if !controllers.isEmpty { throw error }
                }
            }
            var unified: SharedDescriptor?
            var processes: [SharedDescriptor] = []
            for directory in made {
                if hierarchies.contains(where: { $0.isUnified && directory.hasPrefix($0.mountPoint + "/") }) {
                    unified = SharedDescriptor(
                        try retryingInterrupts("open", directory) {
                            open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
                        })
                } else {
                    // Not cgroup.procs: a thread that moves itself does not wait for a grace period of the kernel's RCU,
                    // a process does, some 10 ms (cgroup_procs_write_start, Linux 5.5). The child has one thread.
                    let path = directory + "/tasks"
                    processes.append(
                        SharedDescriptor(try retryingInterrupts("open", path) { open(path, O_WRONLY | O_CLOEXEC) }))
                }
            }
            self.unified = unified
            self.processes = processes
        } catch {
            for directory in made { rmdir(directory) }
            throw error
        }
        directories = made
        killFile = made.map { $0 + "/cgroup.kill" }.first { access($0, W_OK) == 0 }
        summary = hierarchies.contains { !$0.isUnified } ? "v1" : "v2"
    }

    deinit {
        for directory in directories {
            // What was killed a moment ago may not be gone.
            for _ in 0..<50 where rmdir(directory) == -1 && errno == EBUSY { usleep(1_000) }
        }
    }

    /// Puts the child into the groups.
    func apply(to confinement: inout KernelConfinement) {
        confinement.unifiedGroup = unified?.raw
        confinement.controlGroups = processes.map(\.raw)
    }

    /// Kills all that is in the group; nothing where version 2 is not mounted.
    func killAll() {
        if let killFile { _ = TextFile.put("1", into: killFile) }
    }

    private static let prefix = "trstctl-"

    /// Looked up once, after what hosts that are gone left there was removed.
    private static let hierarchies: [CgroupHierarchy] = {
        let mounted = CgroupHierarchy.mounted()
        sweep(mounted)
        return mounted
    }()

    /// Which controllers come from where; the unified tree is always among them, for the sake of `cgroup.kill`.
    private static func places(
        _ hierarchies: [CgroupHierarchy]
    ) throws(SystemError) -> [(CgroupHierarchy, Set<String>)] {
        var places: [(CgroupHierarchy, Set<String>)] = []
        for controller in ["pids", "memory"] {
            guard let hierarchy = hierarchies.first(where: { $0.controllers.contains(controller) }) else {
                throw SystemError(stage: "no controller", object: controller, errno: ENOENT)
            }
            if let index = places.firstIndex(where: { $0.0 == hierarchy }) {
                places[index].1.insert(controller)
            } else {
                places.append((hierarchy, [controller]))
            }
        }
        if let unified = hierarchies.first(where: \.isUnified), !places.contains(where: { $0.0 == unified }) {
            places.append((unified, []))
        }
        return places
    }

    /// Makes the group below the first parent that takes it.
    private static func make(
        _ name: String, _ hierarchy: CgroupHierarchy, _ controllers: Set<String>, _ limits: ConfinementLimits
    ) throws(SystemError) -> String {
        var failure = SystemError(stage: "mkdir", object: hierarchy.own, errno: ENOENT)
        for parent in hierarchy.parents {
            let directory = parent + "/" + name
            if hierarchy.isUnified, !controllers.isEmpty, !handsDown(controllers, parent) {
                failure = .last("hand down \(controllers.sorted().joined(separator: " ")) in", parent)
                continue
            }
            guard mkdir(directory, 0o755) == 0 else {
                failure = .last("mkdir", directory)
                continue
            }
            guard let refused = set(limits, controllers, hierarchy.isUnified, directory) else { return directory }
            failure = refused
            rmdir(directory)
        }
        throw failure
    }

    private static func handsDown(_ controllers: Set<String>, _ parent: String) -> Bool {
        let file = parent + "/cgroup.subtree_control"
        let present = Set(TextFile.text(file).split { $0 == " " || $0 == "\n" }.map(String.init))
        let absent = controllers.subtracting(present)
        return absent.isEmpty || TextFile.put(absent.sorted().map { "+" + $0 }.joined(separator: " "), into: file)
    }

    private static func set(
        _ limits: ConfinementLimits, _ controllers: Set<String>, _ isUnified: Bool, _ directory: String
    ) -> SystemError? {
        if controllers.contains("pids"), !TextFile.put("\(limits.processes)", into: directory + "/pids.max") {
            return .last("write", directory + "/pids.max")
        }
        guard controllers.contains("memory") else { return nil }
        let file = directory + (isUnified ? "/memory.max" : "/memory.limit_in_bytes")
        guard TextFile.put("\(limits.memoryBytes)", into: file) else { return .last("write", file) }
        // Not there where swap is not accounted; then the limit above is the limit of all.
        let swap = isUnified ? ("/memory.swap.max", "0") : ("/memory.memsw.limit_in_bytes", "\(limits.memoryBytes)")
        _ = TextFile.put(swap.1, into: directory + swap.0)
        if isUnified { _ = TextFile.put("1", into: directory + "/memory.oom.group") }
        return nil
    }

    /// Removes groups whose host is gone; the kernel has ended what was in them (the parent-death signal).
    package static func sweep() { sweep(CgroupHierarchy.mounted()) }

    static func sweep(_ hierarchies: [CgroupHierarchy]) {
        for parent in Set(hierarchies.flatMap(\.parents)) {
            guard let reading = try? DirectoryReading(path: parent) else { continue }
            while let found = try? reading.next() {
                let name = String(decoding: found.array, as: UTF8.self)
                guard name.hasPrefix(prefix), let host = name.dropFirst(prefix.count).split(separator: "-").first,
                    let number = pid_t(host), number > 0, kill(number, 0) == -1, errno == ESRCH
                else { continue }
                rmdir("\(parent)/\(name)")
            }
        }
    }
}

import TrstctlSystem
import TrstctlWire

/// One frame of every call and every reply with every field set, once with plain values and once with extreme ones:
/// the largest and smallest numbers, text with NUL, enum numbers that this version does not know.
enum SampleFrames {
    static let calls: [Wire.Call.Method] = [
        .hello(
            Wire.HelloRequest(
                protocolVersions: [1, 2], host: Wire.Implementation(name: "text 3", version: "text 4"),
                features: ["text 5", "text 6"], limits: Wire.Limits(maxFrameBytes: 7, maxCalls: 8, maxCallBytes: 9),
                logLevel: .warning)),
        .configure(
            Wire.ConfigureRequest(
                target: "text 10",
                config: [
                    Wire.ConfigEntry(
                        name: "text 11",
                        value: Wire.ConfigValue(kind: .list(Wire.StringList(values: ["text 12", "text 13"])))),
                    Wire.ConfigEntry(name: "text 14", value: Wire.ConfigValue(kind: .boolean(true))),
                ], secretNames: ["text 16", "text 17"],
                probe: Wire.ProbeAddress(address: "text 18", serverName: "text 19"))),
        .read(
            Wire.ReadRequest(
                deployment: Wire.Deployment(
                    target: "text 20", fingerprint: "text 21", certificate: [0, 255, 22], chain: [0, 255, 23],
                    names: ["text 24", "text 25"], notBefore: -26, notAfter: -27, secretNames: ["text 28", "text 29"]))),
        .plan(
            Wire.PlanRequest(
                deployment: Wire.Deployment(
                    target: "text 30", fingerprint: "text 31", certificate: [0, 255, 32], chain: [0, 255, 33],
                    names: ["text 34", "text 35"], notBefore: -36, notAfter: -37, secretNames: ["text 38", "text 39"]))),
        .apply(
            Wire.ApplyRequest(
                deployment: Wire.Deployment(
                    target: "text 40", fingerprint: "text 41", certificate: [0, 255, 42], chain: [0, 255, 43],
                    names: ["text 44", "text 45"], notBefore: -46, notAfter: -47, secretNames: ["text 48", "text 49"]),
                recording: true)),
        .drift(
            Wire.DriftRequest(
                deployment: Wire.Deployment(
                    target: "text 51", fingerprint: "text 52", certificate: [0, 255, 53], chain: [0, 255, 54],
                    names: ["text 55", "text 56"], notBefore: -57, notAfter: -58, secretNames: ["text 59", "text 60"]))),
        .prune(Wire.PruneRequest(keep: ["text 61", "text 62"], target: "text 63", keepVersions: 64)),
        .adopt(
            Wire.AdoptRequest(
                deployment: Wire.Deployment(
                    target: "text 65", fingerprint: "text 66", certificate: [0, 255, 67], chain: [0, 255, 68],
                    names: ["text 69", "text 70"], notBefore: -71, notAfter: -72, secretNames: ["text 73", "text 74"]))),
        .verifyOwnership(Wire.VerifyOwnershipRequest(target: "text 75")),
        .ping(Wire.PingRequest(payload: [0, 255, 76])),
        .shutdown(Wire.ShutdownRequest(graceMilliseconds: 77)),
        .readFile(Wire.ReadFileRequest(path: [0, 255, 78], maxBytes: 79)),
        .writeFile(
            Wire.WriteFileRequest(
                path: [0, 255, 80],
                content: [
                    Wire.Segment(kind: .literal([0, 255, 81])),
                    Wire.Segment(
                        kind: .secret(
                            Wire.SecretReference(
                                name: "text 82", encoding: .pkcs12, pkcs12Profile: .legacy3des, passwordName: "text 85")
                        )),
                ], mode: 86, owner: Wire.FileOwner(uid: 87, gid: 88))),
        .removeFile(Wire.RemoveFileRequest(path: [0, 255, 89])),
        .stat(
            Wire.StatRequest(
                path: [0, 255, 90],
                compareTo: [
                    Wire.Segment(kind: .literal([0, 255, 91])),
                    Wire.Segment(
                        kind: .secret(
                            Wire.SecretReference(
                                name: "text 92", encoding: .pkcs12, pkcs12Profile: .legacy3des, passwordName: "text 95")
                        )),
                ])),
        .revert(Wire.RevertRequest(paths: [[0, 255, 96], [0, 255, 97]])),
        .exec(
            Wire.ExecRequest(
                arguments: [[0, 255, 98], [0, 255, 99]],
                stdin: [
                    Wire.Segment(
                        kind: .secret(
                            Wire.SecretReference(
                                name: "text 100", encoding: .pkcs12, pkcs12Profile: .legacy3des,
                                passwordName: "text 103"))),
                    Wire.Segment(
                        kind: .secret(
                            Wire.SecretReference(
                                name: "text 104", encoding: .pkcs12, pkcs12Profile: .legacy3des,
                                passwordName: "text 107"))),
                ], timeoutMilliseconds: 108, maxOutputBytes: 109)),
        .probeTls(
            Wire.ProbeTlsRequest(
                address: "text 110", serverName: "text 111", startTls: .mysql, timeoutMilliseconds: 113)),
        .request(
            Wire.HttpRequest(
                method: "text 114", url: "text 115",
                headers: [
                    Wire.HttpHeader(
                        name: "text 116",
                        value: [
                            Wire.Segment(kind: .literal([0, 255, 117])),
                            Wire.Segment(
                                kind: .secret(
                                    Wire.SecretReference(
                                        name: "text 118", encoding: .pkcs12, pkcs12Profile: .legacy3des,
                                        passwordName: "text 121"))),
                        ]),
                    Wire.HttpHeader(
                        name: "text 122",
                        value: [
                            Wire.Segment(kind: .literal([0, 255, 123])),
                            Wire.Segment(
                                kind: .secret(
                                    Wire.SecretReference(
                                        name: "text 124", encoding: .pkcs12, pkcs12Profile: .legacy3des,
                                        passwordName: "text 127"))),
                        ]),
                ],
                body: [
                    Wire.Segment(
                        kind: .secret(
                            Wire.SecretReference(
                                name: "text 128", encoding: .pkcs12, pkcs12Profile: .legacy3des,
                                passwordName: "text 131"))),
                    Wire.Segment(
                        kind: .secret(
                            Wire.SecretReference(
                                name: "text 132", encoding: .pkcs12, pkcs12Profile: .legacy3des,
                                passwordName: "text 135"))),
                ], timeoutMilliseconds: 136, maxResponseBytes: 137,
                tls: Wire.TlsOptions(
                    authoritiesPath: [0, 255, 138], publicKeyPin: "text 139", clientCertificateName: "text 140",
                    clientKeyName: "text 141", serverName: "text 142"),
                authentication: Wire.HttpAuthentication(
                    scheme: .instanceMetadata, identity: "text 144", secretName: "text 145", headerName: "text 146",
                    region: "text 147", service: "text 148", tokenUrl: "text 149", scope: "text 150",
                    sessionTokenName: "text 151"), retrySafe: true)),
        .send(
            Wire.SendRequest(
                address: "text 153", useTls: true,
                tls: Wire.TlsOptions(
                    authoritiesPath: [0, 255, 155], publicKeyPin: "text 156", clientCertificateName: "text 157",
                    clientKeyName: "text 158", serverName: "text 159"),
                content: [
                    Wire.Segment(
                        kind: .secret(
                            Wire.SecretReference(
                                name: "text 160", encoding: .pkcs12, pkcs12Profile: .legacy3des,
                                passwordName: "text 163"))),
                    Wire.Segment(
                        kind: .secret(
                            Wire.SecretReference(
                                name: "text 164", encoding: .pkcs12, pkcs12Profile: .legacy3des,
                                passwordName: "text 167"))),
                ], readUntil: [0, 255, 168], maxResponseBytes: 169, timeoutMilliseconds: 170)),
        .log(Wire.LogRequest(level: .error, message: "text 172")),
        .progress(Wire.ProgressRequest(message: "text 173", percent: 174)),
    ]

    static let callsAtTheEdge: [Wire.Call.Method] = [
        .hello(
            Wire.HelloRequest(
                protocolVersions: [.max, .max], host: Wire.Implementation(name: "tä\u{0}177", version: "tä\u{0}178"),
                features: ["tä\u{0}179", "tä\u{0}180"],
                limits: Wire.Limits(maxFrameBytes: .max, maxCalls: .max, maxCallBytes: .max),
                logLevel: .unrecognized(.max))),
        .configure(
            Wire.ConfigureRequest(
                target: "tä\u{0}184",
                config: [
                    Wire.ConfigEntry(name: "tä\u{0}185", value: Wire.ConfigValue(kind: .boolean(true))),
                    Wire.ConfigEntry(name: "tä\u{0}187", value: Wire.ConfigValue(kind: .text("tä\u{0}188"))),
                ], secretNames: ["tä\u{0}189", "tä\u{0}190"],
                probe: Wire.ProbeAddress(address: "tä\u{0}191", serverName: "tä\u{0}192"))),
        .read(
            Wire.ReadRequest(
                deployment: Wire.Deployment(
                    target: "tä\u{0}193", fingerprint: "tä\u{0}194", certificate: [0, 255, 195], chain: [0, 255, 196],
                    names: ["tä\u{0}197", "tä\u{0}198"], notBefore: .min, notAfter: .min,
                    secretNames: ["tä\u{0}201", "tä\u{0}202"]))),
        .plan(
            Wire.PlanRequest(
                deployment: Wire.Deployment(
                    target: "tä\u{0}203", fingerprint: "tä\u{0}204", certificate: [0, 255, 205], chain: [0, 255, 206],
                    names: ["tä\u{0}207", "tä\u{0}208"], notBefore: .min, notAfter: .min,
                    secretNames: ["tä\u{0}211", "tä\u{0}212"]))),
        .apply(
            Wire.ApplyRequest(
                deployment: Wire.Deployment(
                    target: "tä\u{0}213", fingerprint: "tä\u{0}214", certificate: [0, 255, 215], chain: [0, 255, 216],
                    names: ["tä\u{0}217", "tä\u{0}218"], notBefore: .min, notAfter: .min,
                    secretNames: ["tä\u{0}221", "tä\u{0}222"]), recording: true)),
        .drift(
            Wire.DriftRequest(
                deployment: Wire.Deployment(
                    target: "tä\u{0}224", fingerprint: "tä\u{0}225", certificate: [0, 255, 226], chain: [0, 255, 227],
                    names: ["tä\u{0}228", "tä\u{0}229"], notBefore: .min, notAfter: .min,
                    secretNames: ["tä\u{0}232", "tä\u{0}233"]))),
        .prune(Wire.PruneRequest(keep: ["tä\u{0}234", "tä\u{0}235"], target: "tä\u{0}236", keepVersions: .max)),
        .adopt(
            Wire.AdoptRequest(
                deployment: Wire.Deployment(
                    target: "tä\u{0}238", fingerprint: "tä\u{0}239", certificate: [0, 255, 240], chain: [0, 255, 241],
                    names: ["tä\u{0}242", "tä\u{0}243"], notBefore: .min, notAfter: .min,
                    secretNames: ["tä\u{0}246", "tä\u{0}247"]))),
        .verifyOwnership(Wire.VerifyOwnershipRequest(target: "tä\u{0}248")),
        .ping(Wire.PingRequest(payload: [0, 255, 249])),
        .shutdown(Wire.ShutdownRequest(graceMilliseconds: .max)),
        .readFile(Wire.ReadFileRequest(path: [0, 255, 251], maxBytes: .max)),
        .writeFile(
            Wire.WriteFileRequest(
                path: [0, 255, 253],
                content: [
                    Wire.Segment(kind: .literal([0, 255, 254])),
                    Wire.Segment(
                        kind: .secret(
                            Wire.SecretReference(
                                name: "tä\u{0}255", encoding: .unrecognized(1256), pkcs12Profile: .unrecognized(1257),
                                passwordName: "tä\u{0}258"))),
                ], mode: .max, owner: Wire.FileOwner(uid: .max, gid: .max))),
        .removeFile(Wire.RemoveFileRequest(path: [0, 255, 6])),
        .stat(
            Wire.StatRequest(
                path: [0, 255, 7],
                compareTo: [
                    Wire.Segment(kind: .literal([0, 255, 8])),
                    Wire.Segment(
                        kind: .secret(
                            Wire.SecretReference(
                                name: "tä\u{0}265", encoding: .unrecognized(1266), pkcs12Profile: .unrecognized(1267),
                                passwordName: "tä\u{0}268"))),
                ])),
        .revert(Wire.RevertRequest(paths: [[0, 255, 13], [0, 255, 14]])),
        .exec(
            Wire.ExecRequest(
                arguments: [[0, 255, 15], [0, 255, 16]],
                stdin: [
                    Wire.Segment(
                        kind: .secret(
                            Wire.SecretReference(
                                name: "tä\u{0}273", encoding: .unrecognized(1274), pkcs12Profile: .unrecognized(1275),
                                passwordName: "tä\u{0}276"))),
                    Wire.Segment(
                        kind: .secret(
                            Wire.SecretReference(
                                name: "tä\u{0}277", encoding: .unrecognized(1278), pkcs12Profile: .unrecognized(1279),
                                passwordName: "tä\u{0}280"))),
                ], timeoutMilliseconds: .max, maxOutputBytes: .max)),
        .probeTls(
            Wire.ProbeTlsRequest(
                address: "tä\u{0}283", serverName: "tä\u{0}284", startTls: .unrecognized(1285),
                timeoutMilliseconds: .max)),
        .request(
            Wire.HttpRequest(
                method: "tä\u{0}287", url: "tä\u{0}288",
                headers: [
                    Wire.HttpHeader(
                        name: "tä\u{0}289",
                        value: [
                            Wire.Segment(kind: .literal([0, 255, 34])),
                            Wire.Segment(
                                kind: .secret(
                                    Wire.SecretReference(
                                        name: "tä\u{0}291", encoding: .unrecognized(1292),
                                        pkcs12Profile: .unrecognized(1293), passwordName: "tä\u{0}294"))),
                        ]),
                    Wire.HttpHeader(
                        name: "tä\u{0}295",
                        value: [
                            Wire.Segment(kind: .literal([0, 255, 40])),
                            Wire.Segment(
                                kind: .secret(
                                    Wire.SecretReference(
                                        name: "tä\u{0}297", encoding: .unrecognized(1298),
                                        pkcs12Profile: .unrecognized(1299), passwordName: "tä\u{0}300"))),
                        ]),
                ],
                body: [
                    Wire.Segment(
                        kind: .secret(
                            Wire.SecretReference(
                                name: "tä\u{0}301", encoding: .unrecognized(1302), pkcs12Profile: .unrecognized(1303),
                                passwordName: "tä\u{0}304"))),
                    Wire.Segment(
                        kind: .secret(
                            Wire.SecretReference(
                                name: "tä\u{0}305", encoding: .unrecognized(1306), pkcs12Profile: .unrecognized(1307),
                                passwordName: "tä\u{0}308"))),
                ], timeoutMilliseconds: .max, maxResponseBytes: .max,
                tls: Wire.TlsOptions(
                    authoritiesPath: [0, 255, 55], publicKeyPin: "tä\u{0}312", clientCertificateName: "tä\u{0}313",
                    clientKeyName: "tä\u{0}314", serverName: "tä\u{0}315"),
                authentication: Wire.HttpAuthentication(
                    scheme: .unrecognized(1316), identity: "tä\u{0}317", secretName: "tä\u{0}318",
                    headerName: "tä\u{0}319", region: "tä\u{0}320", service: "tä\u{0}321", tokenUrl: "tä\u{0}322",
                    scope: "tä\u{0}323", sessionTokenName: "tä\u{0}324"), retrySafe: true)),
        .send(
            Wire.SendRequest(
                address: "tä\u{0}326", useTls: true,
                tls: Wire.TlsOptions(
                    authoritiesPath: [0, 255, 72], publicKeyPin: "tä\u{0}329", clientCertificateName: "tä\u{0}330",
                    clientKeyName: "tä\u{0}331", serverName: "tä\u{0}332"),
                content: [
                    Wire.Segment(
                        kind: .secret(
                            Wire.SecretReference(
                                name: "tä\u{0}333", encoding: .unrecognized(1334), pkcs12Profile: .unrecognized(1335),
                                passwordName: "tä\u{0}336"))),
                    Wire.Segment(
                        kind: .secret(
                            Wire.SecretReference(
                                name: "tä\u{0}337", encoding: .unrecognized(1338), pkcs12Profile: .unrecognized(1339),
                                passwordName: "tä\u{0}340"))),
                ], readUntil: [0, 255, 85], maxResponseBytes: .max, timeoutMilliseconds: .max)),
        .log(Wire.LogRequest(level: .unrecognized(1344), message: "tä\u{0}345")),
        .progress(Wire.ProgressRequest(message: "tä\u{0}346", percent: .max)),
    ]

    static let replies: [Wire.Reply.Result] = [
        .hello(
            Wire.HelloResponse(
                protocolVersion: 348, protocolVersions: [349, 350],
                connector: Wire.Implementation(name: "text 351", version: "text 352"),
                features: ["text 353", "text 354"],
                limits: Wire.Limits(maxFrameBytes: 355, maxCalls: 356, maxCallBytes: 357),
                description: Wire.Description(
                    name: "text 358", summary: "text 359",
                    config: [
                        Wire.ConfigField(
                            name: "text 360", type: .path, required: true, secret: true,
                            defaultValue: Wire.ConfigValue(
                                kind: .list(Wire.StringList(values: ["text 364", "text 365"]))), help: "text 366"),
                        Wire.ConfigField(
                            name: "text 367", type: .path, required: true, secret: true,
                            defaultValue: Wire.ConfigValue(kind: .boolean(true)), help: "text 372"),
                    ],
                    capabilities: [
                        Wire.CapabilityReason(capability: .processExec, reason: "text 374"),
                        Wire.CapabilityReason(capability: .processExec, reason: "text 376"),
                    ], optionalMethods: [.verifyOwnership, .verifyOwnership], needsKey: true,
                    concurrency: 3))),
        .configure(
            Wire.ConfigureResponse(grants: [
                Wire.Grant(capability: .processExec, values: [[0, 255, 125], [0, 255, 126]]),
                Wire.Grant(capability: .processExec, values: [[0, 255, 128], [0, 255, 129]]),
            ])),
        .read(
            Wire.ReadResponse(
                present: true, fingerprint: "text 387", inSync: true,
                facts: [Wire.Fact(name: "text 389", value: "text 390"), Wire.Fact(name: "text 391", value: "text 392")])
        ),
        .plan(
            Wire.PlanResponse(changes: [
                Wire.Change(kind: .call, object: "text 394", before: "text 395", after: "text 396"),
                Wire.Change(kind: .call, object: "text 398", before: "text 399", after: "text 400"),
            ])),
        .apply(Wire.ApplyResponse(changed: true, summary: "text 402")),
        .drift(
            Wire.DriftResponse(differences: [
                Wire.Change(kind: .call, object: "text 404", before: "text 405", after: "text 406"),
                Wire.Change(kind: .call, object: "text 408", before: "text 409", after: "text 410"),
            ])),
        .prune(
            Wire.PruneResponse(changes: [
                Wire.Change(kind: .call, object: "text 412", before: "text 413", after: "text 414"),
                Wire.Change(kind: .call, object: "text 416", before: "text 417", after: "text 418"),
            ])),
        .adopt(
            Wire.AdoptResponse(changes: [
                Wire.Change(kind: .call, object: "text 420", before: "text 421", after: "text 422"),
                Wire.Change(kind: .call, object: "text 424", before: "text 425", after: "text 426"),
            ])),
        .verifyOwnership(
            Wire.VerifyOwnershipResponse(objects: [
                Wire.OwnedObject(object: "text 427", owned: true, reason: "text 429"),
                Wire.OwnedObject(object: "text 430", owned: true, reason: "text 432"),
            ])),
        .ping(Wire.PingResponse(payload: [0, 255, 177])),
        .shutdown(Wire.ShutdownResponse()),
        .readFile(
            Wire.ReadFileResponse(
                content: [0, 255, 178], info: Wire.FileInfo(mode: 435, uid: 436, gid: 437, size: 438, modified: -439))),
        .writeFile(Wire.WriteFileResponse(replaced: true, planned: true)),
        .removeFile(Wire.RemoveFileResponse(planned: true)),
        .stat(
            Wire.StatResponse(
                info: Wire.FileInfo(mode: 443, uid: 444, gid: 445, size: 446, modified: -447), contentEqual: true)),
        .revert(Wire.RevertResponse(reverted: 449, planned: true)),
        .exec(
            Wire.ExecResponse(
                outcome: .timedOut, status: -452, stdout: [0, 255, 197], stderr: [0, 255, 198], stdoutDropped: 455,
                stderrDropped: 456, planned: true)),
        .probeTls(
            Wire.ProbeTlsResponse(
                certificates: [
                    Wire.ServedCertificate(
                        fingerprint: "text 458", subject: "text 459", names: ["text 460", "text 461"], notBefore: -462,
                        notAfter: -463),
                    Wire.ServedCertificate(
                        fingerprint: "text 464", subject: "text 465", names: ["text 466", "text 467"], notBefore: -468,
                        notAfter: -469),
                ], protocol: "text 470", verified: true, verificationError: "text 472", planned: true)),
        .request(
            Wire.HttpResponse(
                status: 474,
                headers: [
                    Wire.HttpResponseHeader(name: "text 475", value: [0, 255, 220]),
                    Wire.HttpResponseHeader(name: "text 477", value: [0, 255, 222]),
                ], body: [0, 255, 223], planned: true)),
        .send(Wire.SendResponse(content: [0, 255, 225], planned: true)),
        .log(Wire.LogResponse()),
        .progress(Wire.ProgressResponse()),
    ]

    static let repliesAtTheEdge: [Wire.Reply.Result] = [
        .hello(
            Wire.HelloResponse(
                protocolVersion: .max, protocolVersions: [.max, .max],
                connector: Wire.Implementation(name: "tä\u{0}486", version: "tä\u{0}487"),
                features: ["tä\u{0}488", "tä\u{0}489"],
                limits: Wire.Limits(maxFrameBytes: .max, maxCalls: .max, maxCallBytes: .max),
                description: Wire.Description(
                    name: "tä\u{0}493", summary: "tä\u{0}494",
                    config: [
                        Wire.ConfigField(
                            name: "tä\u{0}495", type: .unrecognized(1496), required: true, secret: true,
                            defaultValue: Wire.ConfigValue(
                                kind: .list(Wire.StringList(values: ["tä\u{0}499", "tä\u{0}500"]))), help: "tä\u{0}501"),
                        Wire.ConfigField(
                            name: "tä\u{0}502", type: .unrecognized(1503), required: true, secret: true,
                            defaultValue: Wire.ConfigValue(kind: .boolean(true)), help: "tä\u{0}507"),
                    ],
                    capabilities: [
                        Wire.CapabilityReason(capability: .unrecognized(1508), reason: "tä\u{0}509"),
                        Wire.CapabilityReason(capability: .unrecognized(1510), reason: "tä\u{0}511"),
                    ], optionalMethods: [.unrecognized(1512), .unrecognized(1513)], needsKey: true,
                    concurrency: .max))),
        .configure(
            Wire.ConfigureResponse(grants: [
                Wire.Grant(capability: .unrecognized(1515), values: [[0, 255, 4], [0, 255, 5]]),
                Wire.Grant(capability: .unrecognized(1518), values: [[0, 255, 7], [0, 255, 8]]),
            ])),
        .read(
            Wire.ReadResponse(
                present: true, fingerprint: "tä\u{0}522", inSync: true,
                facts: [
                    Wire.Fact(name: "tä\u{0}524", value: "tä\u{0}525"),
                    Wire.Fact(name: "tä\u{0}526", value: "tä\u{0}527"),
                ])),
        .plan(
            Wire.PlanResponse(changes: [
                Wire.Change(kind: .unrecognized(1528), object: "tä\u{0}529", before: "tä\u{0}530", after: "tä\u{0}531"),
                Wire.Change(kind: .unrecognized(1532), object: "tä\u{0}533", before: "tä\u{0}534", after: "tä\u{0}535"),
            ])),
        .apply(Wire.ApplyResponse(changed: true, summary: "tä\u{0}537")),
        .drift(
            Wire.DriftResponse(differences: [
                Wire.Change(kind: .unrecognized(1538), object: "tä\u{0}539", before: "tä\u{0}540", after: "tä\u{0}541"),
                Wire.Change(kind: .unrecognized(1542), object: "tä\u{0}543", before: "tä\u{0}544", after: "tä\u{0}545"),
            ])),
        .prune(
            Wire.PruneResponse(changes: [
                Wire.Change(kind: .unrecognized(1546), object: "tä\u{0}547", before: "tä\u{0}548", after: "tä\u{0}549"),
                Wire.Change(kind: .unrecognized(1550), object: "tä\u{0}551", before: "tä\u{0}552", after: "tä\u{0}553"),
            ])),
        .adopt(
            Wire.AdoptResponse(changes: [
                Wire.Change(kind: .unrecognized(1554), object: "tä\u{0}555", before: "tä\u{0}556", after: "tä\u{0}557"),
                Wire.Change(kind: .unrecognized(1558), object: "tä\u{0}559", before: "tä\u{0}560", after: "tä\u{0}561"),
            ])),
        .verifyOwnership(
            Wire.VerifyOwnershipResponse(objects: [
                Wire.OwnedObject(object: "tä\u{0}562", owned: true, reason: "tä\u{0}564"),
                Wire.OwnedObject(object: "tä\u{0}565", owned: true, reason: "tä\u{0}567"),
            ])),
        .ping(Wire.PingResponse(payload: [0, 255, 56])),
        .shutdown(Wire.ShutdownResponse()),
        .readFile(
            Wire.ReadFileResponse(
                content: [0, 255, 57], info: Wire.FileInfo(mode: .max, uid: .max, gid: .max, size: .max, modified: .min)
            )),
        .writeFile(Wire.WriteFileResponse(replaced: true, planned: true)),
        .removeFile(Wire.RemoveFileResponse(planned: true)),
        .stat(
            Wire.StatResponse(
                info: Wire.FileInfo(mode: .max, uid: .max, gid: .max, size: .max, modified: .min), contentEqual: true)),
        .revert(Wire.RevertResponse(reverted: .max, planned: true)),
        .exec(
            Wire.ExecResponse(
                outcome: .unrecognized(1586), status: .min, stdout: [0, 255, 76], stderr: [0, 255, 77],
                stdoutDropped: .max, stderrDropped: .max, planned: true)),
        .probeTls(
            Wire.ProbeTlsResponse(
                certificates: [
                    Wire.ServedCertificate(
                        fingerprint: "tä\u{0}593", subject: "tä\u{0}594", names: ["tä\u{0}595", "tä\u{0}596"],
                        notBefore: .min, notAfter: .min),
                    Wire.ServedCertificate(
                        fingerprint: "tä\u{0}599", subject: "tä\u{0}600", names: ["tä\u{0}601", "tä\u{0}602"],
                        notBefore: .min, notAfter: .min),
                ], protocol: "tä\u{0}605", verified: true, verificationError: "tä\u{0}607", planned: true)),
        .request(
            Wire.HttpResponse(
                status: .max,
                headers: [
                    Wire.HttpResponseHeader(name: "tä\u{0}610", value: [0, 255, 99]),
                    Wire.HttpResponseHeader(name: "tä\u{0}612", value: [0, 255, 101]),
                ], body: [0, 255, 102], planned: true)),
        .send(Wire.SendResponse(content: [0, 255, 104], planned: true)),
        .log(Wire.LogResponse()),
        .progress(Wire.ProgressResponse()),
    ]

    static let statuses: [Wire.Status] = (Int32(-1)...17).map {
        Wire.Status(code: Wire.Status.Code(rawValue: $0), message: "m", detail: "d", retryable: true, fix: "f")
    }

    static let all: [Wire.Frame] =
        (calls + callsAtTheEdge).enumerated().map { index, method in
            Wire.Frame(
                id: UInt32(index + 1),
                kind: .call(
                    Wire.Call(timeoutMilliseconds: .max, scopeToken: "0123456789abcdef", scopeCall: 7, method: method)))
        }
        + (replies + repliesAtTheEdge).enumerated().map { index, result in
            Wire.Frame(
                id: .max - UInt32(index),
                kind: .reply(Wire.Reply(status: statuses[index % statuses.count], result: result)))
        }
        + [
            Wire.Frame(id: 1, kind: .cancel(Wire.Cancel())), Wire.Frame(id: 9),
            Wire.Frame(id: 1, kind: .call(Wire.Call())),
            Wire.Frame(id: 1, kind: .reply(Wire.Reply())),
        ]
}

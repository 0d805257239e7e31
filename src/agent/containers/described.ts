import * as v from "valibot";
import {
  type Address,
  type Container,
  ContainerError,
  type ContainerState,
  containerStates,
  type Image,
} from "./runtime.ts";

const Labels = v.nullish(v.record(v.string(), v.string()));
const Bindings = v.nullish(
  v.record(v.string(), v.nullish(v.array(v.object({ HostIp: v.string(), HostPort: v.string() })))),
);
const Health = v.nullish(v.object({ Status: v.string() }));

const Network = v.object({
  IPAddress: v.optional(v.string(), ""),
  Gateway: v.optional(v.string(), ""),
  GlobalIPv6Address: v.optional(v.string(), ""),
  IPv6Gateway: v.optional(v.string(), ""),
  Aliases: v.nullish(v.array(v.string())),
});

/** What `inspect` says, in the fields that Docker and Podman have in common. */
const Inspected = v.object({
  Id: v.string(),
  Name: v.string(),
  Image: v.string(),
  RestartCount: v.optional(v.number(), 0),
  State: v.object({
    Status: v.string(),
    ExitCode: v.number(),
    OOMKilled: v.boolean(),
    Pid: v.number(),
    StartedAt: v.string(),
    Health,
    Healthcheck: Health,
  }),
  Config: v.object({ Image: v.string(), Labels }),
  HostConfig: v.object({ NetworkMode: v.optional(v.string(), "") }),
  NetworkSettings: v.object({
    Ports: Bindings,
    Networks: v.nullish(v.record(v.string(), Network)),
  }),
});

const InspectedImage = v.object({
  Id: v.string(),
  Config: v.nullish(
    v.object({
      ExposedPorts: v.nullish(v.record(v.string(), v.unknown())),
      Healthcheck: v.nullish(v.object({ Test: v.nullish(v.array(v.string())) })),
    }),
  ),
  HealthCheck: v.nullish(v.object({ Test: v.nullish(v.array(v.string())) })),
});

/** @throws {ContainerError} when it is not what an engine says */
export function containersIn(json: string, program: string): Container[] {
  return read(v.array(Inspected), json, program).map(containerFrom);
}

/** @throws {ContainerError} when it is not what an engine says */
export function imageIn(json: string, program: string): Image | undefined {
  const [image] = read(v.array(InspectedImage), json, program);
  if (!image) return undefined;
  const test = (image.Config?.Healthcheck ?? image.HealthCheck)?.Test ?? [];
  return {
    id: plainId(image.Id),
    exposed: Object.keys(image.Config?.ExposedPorts ?? {})
      .flatMap(tcpPort)
      .sort((a, b) => a - b),
    hasHealthcheck: test.length > 0 && test[0] !== "NONE",
  };
}

function read<const S extends v.GenericSchema>(schema: S, json: string, program: string) {
  try {
    return v.parse(schema, JSON.parse(json));
  } catch (cause) {
    throw new ContainerError("REFUSED", `${program} answers in a form that dewy does not know`, {
      cause,
      hint: "use Docker 20 or newer, or Podman 4 or newer",
    });
  }
}

function containerFrom(inspected: v.InferOutput<typeof Inspected>): Container {
  const { State: state, Config: config, NetworkSettings: network } = inspected;
  const networks = network.Networks ?? {};
  const startedAt = new Date(state.StartedAt);
  const own = Object.values(networks).find(({ IPAddress }) => IPAddress !== "");
  return {
    id: inspected.Id,
    name: inspected.Name.replace(/^\//, ""),
    image: config.Image,
    imageId: plainId(inspected.Image),
    state: stateFrom(state.Status),
    exitCode: state.ExitCode,
    oomKilled: state.OOMKilled,
    health: healthFrom((state.Health ?? state.Healthcheck)?.Status),
    startedAt: startedAt.getTime() > 0 ? startedAt : undefined,
    restarts: inspected.RestartCount,
    labels: config.Labels ?? {},
    pid: state.Pid > 0 ? state.Pid : undefined,
    ports: new Map(Object.entries(network.Ports ?? {}).flatMap(publishedPort)),
    ip: own?.IPAddress,
    gateway: own?.Gateway || undefined,
    ipv6: own?.GlobalIPv6Address || undefined,
    gatewayOfIpv6: own?.IPv6Gateway || undefined,
    portsOfIpv6: new Set(Object.entries(network.Ports ?? {}).flatMap(portOfIpv6)),
    networks: new Map(Object.entries(networks).map(([name, { Aliases }]) => [name, Aliases ?? []])),
  };
}

function publishedPort([name, bindings]: [
  string,
  { HostIp: string; HostPort: string }[] | null | undefined,
]): [number, Address][] {
  const [port] = tcpPort(name);
  const binding = bindings?.find(({ HostIp }) => !HostIp.includes(":")) ?? bindings?.[0];
  if (port === undefined || !binding?.HostPort) return [];
  const isAny = binding.HostIp === "" || binding.HostIp === "0.0.0.0";
  const host = isAny ? "127.0.0.1" : binding.HostIp;
  return [[port, { host, port: Number(binding.HostPort) }]];
}

function portOfIpv6([name, bindings]: [string, { HostIp: string }[] | null | undefined]): number[] {
  return bindings?.some(({ HostIp }) => HostIp.includes(":")) ? tcpPort(name) : [];
}

/** `8080/tcp` */
function tcpPort(name: string): number[] {
  const [, port] = /^(\d+)(?:\/tcp)?$/.exec(name) ?? [];
  return port === undefined ? [] : [Number(port)];
}

/** Podman has words of its own for some. */
function stateFrom(status: string): ContainerState {
  const same: Record<string, ContainerState> = {
    configured: "created",
    initialized: "created",
    stopped: "exited",
    stopping: "running",
  };
  const state = same[status] ?? status;
  return containerStates.find((known) => known === state) ?? "dead";
}

function healthFrom(status: string | undefined): Container["health"] {
  return (["starting", "healthy", "unhealthy"] as const).find((known) => known === status);
}

function plainId(id: string): string {
  return id.replace(/^sha256:/, "");
}

/** `npm run bench -- NAME`: measures one promise, beside a peer where there is one. */
const benches: Record<
  string,
  () => Promise<{ run(print: (line: string) => void): Promise<void> }>
> = {
  agent: () => import("./agent/agent.ts"),
  poll: () => import("./poll/poll.ts"),
  registry: () => import("./registry/registry.ts"),
  mirror: () => import("./mirror.ts"),
  deploy: () => import("./deploy.ts"),
  garbage: () => import("./garbage/garbage.ts"),
  proxy: () => import("./proxy/proxy.ts"),
  container: () => import("./container/container.ts"),
};

const [name = ""] = process.argv.slice(2);
const load = benches[name];
if (load) {
  const bench = await load();
  await bench.run((line) => process.stdout.write(`${line}\n`));
} else {
  process.stderr.write(`bench: choose one of: ${Object.keys(benches).join(", ")}\n`);
  process.exitCode = 2;
}

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { type RobotWish, robotTokensIn } from "../../src/registry/auth/robot-tokens.ts";
import { robotPathsOf } from "../../src/registry/auth/robots.ts";
import { describeWith } from "../component.ts";
import { startDockerd } from "./dockerd.ts";
import { htpasswdFor, openGuarded } from "./guarded-registry.ts";
import { writeLayout } from "./oci-layout.ts";
import { podmanIn } from "./podman.ts";
import { run, temporaryDirectory } from "./program.ts";

const plain = "--dest-tls-verify=false";

describeWith(
  "dockerd",
  "docker",
  "skopeo",
)("docker and our own token server", () => {
  it("pulls what is public without a login, and nothing else", { timeout: 120_000 }, async () => {
    const { host, copyTo } = await stage();
    await copyTo("public/app", "alice:alice-pw");
    await copyTo("team/app", "alice:alice-pw");
    const docker = await dockerAlone();

    await docker("pull", `${host}/public/app:v1`);

    await expect(docker("pull", `${host}/team/app:v1`)).rejects.toThrow(/unauthorized|denied/);
  });

  it("logs in with a token instead of keeping the password", { timeout: 120_000 }, async () => {
    const { host, copyTo, robots } = await stage();
    await copyTo("team/app", "alice:alice-pw");
    const docker = await dockerAlone();
    const image = `${host}/team/app:v1`;
    const { user, password } = await robots.create({ ...pushToTeam, name: "ci" });
    const login = (secret: string) => docker("login", "-u", user, "-p", secret, host);

    await expect(login("wrong")).rejects.toThrow(/unauthorized/i);
    expect(await login(password.reveal())).toContain("Login Succeeded");
    await docker("pull", image);
    await docker("push", image);
    const stored = await readFile(join(docker.config, "config.json"), "utf8");
    expect(stored).toContain("identitytoken");
    expect(stored).not.toContain(Buffer.from(`${user}:${password.reveal()}`).toString("base64"));

    await robots.revoke("ci");
    await docker("image", "rm", "--force", image);
    await expect
      .poll(() => docker("pull", image).catch(String), { timeout: 10_000 })
      .toMatch(/unauthorized|denied/);
  });
});

describeWith("skopeo")("skopeo and our own token server", () => {
  it("lets a robot do what it is for", async () => {
    const { copyTo, robots, logger } = await stage();
    const { user, password } = await robots.create({ ...pushToTeam, name: "ci" });
    const credentials = `${user}:${password.reveal()}`;

    await copyTo("team/app", credentials);

    await expect(copyTo("public/app", credentials)).rejects.toThrow(/denied|unauthorized|required/);
    await expect(copyTo("team/app", `${user}:wrong`)).rejects.toThrow(
      /unauthorized|required|invalid/,
    );
    expect(JSON.stringify(logger.lines)).not.toContain(password.reveal());
  });

  it("lets a robot in no longer when its time is over", async () => {
    const { copyTo, robots } = await stage();
    const { user, password } = await robots.create({
      ...pushToTeam,
      expiresInMs: 3_000,
      name: "ci",
    });

    await copyTo("team/app", `${user}:${password.reveal()}`);

    await expect
      .poll(() => copyTo("team/app", `${user}:${password.reveal()}`).catch(String), {
        timeout: 15_000,
        interval: 500,
      })
      .toMatch(/unauthorized|required|invalid/);
  });
});

describeWith("podman", "skopeo")("podman and our own token server", () => {
  it("logs in as a robot, pushes and pulls; and pulls what is public", async () => {
    const { host, copyTo, robots } = await stage();
    await copyTo("public/app", "alice:alice-pw");
    const { user, password } = await robots.create({ ...pushToTeam, name: "ci" });
    const podman = await podmanIn(await temporaryDirectory("podman"));
    const authfile = `--authfile=${join(await temporaryDirectory("authfile"), "auth.json")}`;
    const image = `${host}/team/app:v1`;

    await podman("pull", "--tls-verify=false", `${host}/public/app:v1`);
    await podman("tag", `${host}/public/app:v1`, image);
    const login = ["login", "--tls-verify=false", authfile, `-u=${user}`];
    await podman(...login, `-p=${password.reveal()}`, host);
    await podman("push", "--tls-verify=false", authfile, image);
    await podman("rmi", "--all", "--force");
    await expect(podman("pull", "--tls-verify=false", image)).rejects.toThrow();
    await podman("pull", "--tls-verify=false", authfile, image);
  });
});

const pushToTeam: Omit<RobotWish, "name"> = {
  repositories: ["team/*"],
  actions: ["push"],
  expiresInMs: 3_600_000,
};

/** Alice pushes to `team` and `public`, everybody pulls from `public`. */
async function stage() {
  const htpasswd = await htpasswdFor("alice");
  const { host, logger } = await openGuarded(`auth:
  htpasswd: {realm: Registry Realm, path: ${htpasswd}}
  tokenserver: {}
  access:
    - {repository: "team/*", actions: [push], users: [alice]}
    - {repository: "public/*", actions: [push], users: [alice]}
    - {repository: "public/*", actions: [pull], anonymous: true}`);
  const layout = `oci:${await writeLayout("v1")}:v1`;
  const copyTo = (repository: string, credentials: string) =>
    run("skopeo", [
      "copy",
      plain,
      `--dest-creds=${credentials}`,
      layout,
      `docker://${host}/${repository}:v1`,
    ]);
  const paths = robotPathsOf(undefined, htpasswd);
  const robots = robotTokensIn(paths, { htpasswd, clock: systemClock });
  return { host, copyTo, robots, logger };
}

/** A docker that has never logged in anywhere, with a daemon of its own. */
async function dockerAlone() {
  const engine = await startDockerd(await temporaryDirectory("docker"));
  const config = await temporaryDirectory("docker-config");
  const docker = (...args: string[]) => engine("--config", config, ...args);
  return Object.assign(docker, { config });
}

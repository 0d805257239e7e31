import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { describeWith } from "../component.ts";
import { startDockerd } from "./dockerd.ts";
import { htpasswdFor, openGuarded } from "./guarded-registry.ts";
import { writeLayout } from "./oci-layout.ts";
import { podmanIn } from "./podman.ts";
import { run, temporaryDirectory } from "./program.ts";
import { openTokenServer } from "./token-server.ts";

const plain = "--dest-tls-verify=false";

describeWith("skopeo")("the image registry and skopeo, with passwords", () => {
  it("lets in who knows one, as far as the rules go", async () => {
    const { host, logger } = await openGuarded(await rulesFor("alice", "bob"));
    const layout = `oci:${await writeLayout("v1")}:v1`;
    const pushAs = (who: string) =>
      run("skopeo", ["copy", plain, ...who.split(" "), layout, `docker://${host}/team/app:v1`]);

    await expect(pushAs("--dest-no-creds")).rejects.toThrow("authentication required");
    await expect(pushAs("--dest-creds=alice:wrong")).rejects.toThrow("authentication required");
    await expect(pushAs("--dest-creds=bob:bob-pw")).rejects.toThrow("403 (Forbidden)");
    await pushAs("--dest-creds=alice:alice-pw");

    const inspect = ["inspect", "--tls-verify=false", "--creds=alice:alice-pw"];
    const found = await run("skopeo", [...inspect, `docker://${host}/team/app:v1`]);
    expect(JSON.parse(found)).toMatchObject({ RepoTags: ["v1"] });
    expect(JSON.stringify(logger.lines)).not.toContain("-pw");
  });

  it("lets everybody pull what is public, without a name", async () => {
    const { host } = await openGuarded(await rulesFor("alice", "bob"));
    const image = `docker://${host}/public/app:v1`;
    const layout = `oci:${await writeLayout("v1")}:v1`;
    await run("skopeo", ["copy", plain, "--dest-creds=alice:alice-pw", layout, image]);

    const copy = `dir:${await temporaryDirectory("copy")}`;
    await run("skopeo", ["copy", "--src-tls-verify=false", "--src-no-creds", image, copy]);
  });
});

describeWith("podman", "skopeo")("the image registry and podman, with passwords", () => {
  it("logs in, pushes and pulls", async () => {
    const { host } = await openGuarded(await rulesFor("alice", "bob"));
    const podman = await podmanIn(await temporaryDirectory("podman"));
    const authfile = join(await temporaryDirectory("authfile"), "auth.json");
    const image = `${host}/team/app:v1`;
    await podman("load", "--input", await archiveOf(image));
    const login = (password: string) =>
      podman(
        "login",
        "--tls-verify=false",
        `--authfile=${authfile}`,
        "-u=alice",
        `-p=${password}`,
        host,
      );

    await expect(login("wrong")).rejects.toThrow("invalid username/password");
    await login("alice-pw");
    await podman("push", "--tls-verify=false", `--authfile=${authfile}`, image);
    await podman("rmi", "--all", "--force");
    await expect(podman("pull", "--tls-verify=false", image)).rejects.toThrow();
    await podman("pull", "--tls-verify=false", `--authfile=${authfile}`, image);
  });
});

describeWith(
  "dockerd",
  "docker",
  "skopeo",
)("the image registry and docker", () => {
  it("logs in with a password, pushes and pulls", async () => {
    const { host } = await openGuarded(await rulesFor("alice", "bob"));

    await loginPushPull(host);
  });

  it("logs in at a token server, pushes and pulls", async () => {
    const { auth, scopes } = await openTokenServer((user) =>
      user === "alice" ? ["pull", "push"] : ["pull"],
    );
    const { host } = await openGuarded(auth);

    const { docker, image } = await loginPushPull(host);

    expect(scopes).toContain("repository:team/app:push,pull");
    // A token for nobody may pull as well, if the server says so.
    await docker("image", "rm", "--force", image);
    await docker("logout", host);
    await docker("pull", image);
  });
});

describeWith("skopeo")("the image registry and skopeo, with tokens", () => {
  it("lets in what the token server lets in", async () => {
    const { auth, scopes } = await openTokenServer((user) =>
      user === "alice" ? ["pull", "push", "*"] : ["pull"],
    );
    const { host } = await openGuarded(auth);
    const layout = `oci:${await writeLayout("v1")}:v1`;
    const image = (repository: string) => `docker://${host}/${repository}:v1`;

    const refused = run("skopeo", ["copy", plain, "--dest-creds=bob:bob-pw", layout, image("a/b")]);
    await expect(refused).rejects.toThrow(/denied|authentication required|unauthorized/);
    await run("skopeo", ["copy", plain, "--dest-creds=alice:alice-pw", layout, image("a/b")]);
    const creds = ["--src-creds=alice:alice-pw", "--dest-creds=alice:alice-pw"];
    const both = [plain, "--src-tls-verify=false", ...creds];
    await run("skopeo", ["copy", ...both, image("a/b"), image("c/d")]);

    expect(scopes).toEqual(
      expect.arrayContaining(["repository:a/b:pull,push", "repository:c/d:pull,push"]),
    );
  });
});

/** Alice pushes to `team` and `public`, everybody pulls from `public`. */
async function rulesFor(...users: string[]): Promise<string> {
  return `auth:
  htpasswd: {realm: Registry Realm, path: ${await htpasswdFor(...users)}}
  access:
    - {repository: "team/*", actions: [push], users: [alice]}
    - {repository: "public/*", actions: [push], users: [alice]}
    - {repository: "public/*", actions: [pull], anonymous: true}`;
}

async function loginPushPull(host: string) {
  const engine = await startDockerd(await temporaryDirectory("docker"));
  const config = await temporaryDirectory("docker-config");
  const docker = (...args: string[]) => engine("--config", config, ...args);
  const image = `${host}/team/app:v1`;
  await docker("load", "--input", await archiveOf(image));
  const id = await docker("image", "inspect", "--format", "{{.Id}}", image);

  const login = (password: string) => docker("login", "-u", "alice", "-p", password, host);
  await expect(login("wrong")).rejects.toThrow(/unauthorized/i);
  expect(await login("alice-pw")).toContain("Login Succeeded");
  await docker("push", image);
  await docker("image", "rm", "--force", image);
  await docker("pull", image);
  expect(await docker("image", "inspect", "--format", "{{.Id}}", image)).toBe(id);
  expect(await readFile(join(config, "config.json"), "utf8")).toContain(host);

  await docker("logout", host);
  await expect(docker("push", image)).rejects.toThrow(/denied|unauthorized|no basic auth/);
  return { docker, image };
}

async function archiveOf(image: string): Promise<string> {
  const archive = join(await temporaryDirectory("archive"), "image.tar");
  const layout = `oci:${await writeLayout("v1")}:v1`;
  await run("skopeo", ["copy", layout, `docker-archive:${archive}:${image}`]);
  return archive;
}

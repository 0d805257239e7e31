import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { describeWith } from "../component.ts";
import { type Authority, openAuthority } from "./certificates.ts";
import { type GuardedRegistry, htpasswdFor, openGuarded } from "./guarded-registry.ts";
import { run, temporaryDirectory } from "./program.ts";
import { baseDn, type Slapd, startSlapd } from "./slapd.ts";

describeWith(
  "slapd",
  "slapadd",
  "ldapmodify",
  "openssl",
)("users of an OpenLDAP server", () => {
  let authority: Authority;
  let certificate: Awaited<ReturnType<Authority["issue"]>>;
  beforeAll(async () => {
    authority = await openAuthority();
    certificate = await authority.issue("slapd");
  });
  afterAll(() => authority.close());

  it.each([
    ["STARTTLS", "plain", true],
    ["LDAPS", "tls", false],
  ] as const)("log in by %s, to a server that takes passwords no other way", async (...given) => {
    const [, port, starttls] = given;
    const { slapd, open } = await stage({ strict: true });
    const more = { urls: [slapd.urls[port]], starttls, ca: authority.ca.cert };

    const registry = await open(more);

    expect(await status(registry, "alice", "alice-pw")).toBe(200);
    expect(await status(registry, "alice", "bob-pw")).toBe(401);
    expect(await status(registry, "nobody", "nobody-pw")).toBe(401);
  });

  it("are not asked for over a connection that somebody else may be at the end of", async () => {
    const { slapd, open } = await stage();

    const registry = await open({ urls: [slapd.urls.tls] });

    expect(await status(registry, "alice", "alice-pw")).toBe(503);
    expect(messages(registry)).toMatch(/directory of users cannot be asked: .*certificate/);
  });

  it("may be told nothing by a server that wants TLS", async () => {
    const { open } = await stage({ strict: true });

    const registry = await open({});

    expect(await status(registry, "alice", "alice-pw")).toBe(503);
    expect(messages(registry)).toMatch(/directory of users cannot be asked: .*confidential/i);
  });

  it.each([
    ["", ""],
    ["alice", ""],
    ["*", "alice-pw"],
    ["ali*", "alice-pw"],
    ["alice)(uid=*", "alice-pw"],
    ["alice)(|(uid=*", "alice-pw"],
    ["\\2a", "alice-pw"],
    ["alice\0", "alice-pw"],
  ])("are not %j with the password %j", async (user, password) => {
    const { open } = await stage();

    expect(await status(await open({}), user, password)).toBe(401);
  });

  it("may have names that mean something in a filter", async () => {
    const { slapd, open } = await stage();
    const name = "a*(b)\\c";
    await slapd.change(
      [
        `dn: cn=odd,ou=people,${baseDn}`,
        "changetype: add\nobjectClass: inetOrgPerson\nsn: odd",
        `uid: ${name}\nuserPassword: odd-pw`,
      ].join("\n"),
    );

    expect(await status(await open({}), name, "odd-pw")).toBe(200);
  });

  it("may do what their groups may, found by either way", async () => {
    const access = [
      "    - {repository: team/*, actions: [push], groups: [developers]}",
      "    - {repository: team/*, actions: [pull], groups: [readers]}",
      "    - {repository: own, actions: [pull], users: [carol]}",
    ];
    const { open } = await stage();
    for (const groups of [
      { groupbasedn: `ou=groups,${baseDn}` },
      { groupbasedn: `ou=groups,${baseDn}`, groupfilter: "(cn=*)", groupmember: ["member"] },
      { usergroupattribute: "memberOf", groupbasedn: `ou=groups,${baseDn}` },
    ]) {
      const registry = await open(groups, ["  access:", ...access]);
      const of = async (user: string, name: string, method?: string) =>
        status(registry, user, `${user.toLowerCase()}-pw`, `/v2/${name}`, method);

      expect(await of("alice", "team/app/blobs/uploads/", "POST")).toBe(202);
      expect(await of("ALICE", "team/app/tags/list")).toBe(404);
      expect(await of("bob", "team/app/tags/list")).toBe(groups.groupmember ? 403 : 404);
      expect(await of("bob", "team/app/blobs/uploads/", "POST")).toBe(403);
      expect(await of("carol", "team/app/tags/list")).toBe(403);
      expect(await of("carol", "own/tags/list")).toBe(404);
    }
  });

  it("are only those that the filter lets through", async () => {
    const { open } = await stage();

    const registry = await open({ filter: "(|(uid=bob)(uid=carol))" });

    expect(await status(registry, "bob", "bob-pw")).toBe(200);
    expect(await status(registry, "alice", "alice-pw")).toBe(401);
  });

  it("are nobody while the directory is down, and are back with it", async () => {
    const { slapd, open } = await stage();
    const registry = await open({});
    await slapd.stop();

    expect(await status(registry, "alice", "alice-pw")).toBe(503);
    expect(await status(registry, "alice", "wrong")).toBe(503);
    expect(messages(registry)).toContain("the directory of users cannot be asked");
    await slapd.start();

    expect(await status(registry, "alice", "wrong")).toBe(401);
    expect(await status(registry, "alice", "alice-pw")).toBe(200);
    await slapd.stop();
    expect(await status(registry, "alice", "alice-pw")).toBe(200); // remembered for a moment
  });

  it("are asked for at the next server when one is down", async () => {
    const [first, second] = [await stage(), await stage()];
    const registry = await first.open({ urls: [first.slapd.urls.plain, second.slapd.urls.plain] });
    await first.slapd.stop();

    expect(await status(registry, "alice", "alice-pw")).toBe(200);

    expect(messages(registry)).toContain("a directory does not answer");
  });

  it("cannot log in where the registry itself is refused, and the log says so", async () => {
    const { open } = await stage();

    const registry = await open({ bindpassword: "wrong" });

    expect(await status(registry, "alice", "alice-pw")).toBe(503);
    expect(messages(registry)).toContain(`the directory refuses uid=reader,ou=people,${baseDn}`);
    expect(messages(registry)).not.toContain("wrong");
  });

  it("wait after too many wrong passwords, in whatever spelling of one name", async () => {
    const { open } = await stage();
    const registry = await open({}, ["  failedlogins: {attempts: 2}"]);

    expect(await status(registry, "alice", "wrong 1")).toBe(401);
    expect(await status(registry, "Alice", "wrong 2")).toBe(401);

    expect(await status(registry, "aLICE", "alice-pw")).toBe(429);
    expect(await status(registry, "bob", "bob-pw")).toBe(200);
  });

  it("stand beside those of an htpasswd file, who get in while the directory is down", async () => {
    const { slapd, open } = await stage();
    const path = await htpasswdFor("root", "alice");
    const registry = await open({}, [`  htpasswd: {realm: r, path: ${path}}`]);

    expect(await status(registry, "bob", "bob-pw")).toBe(200);
    await slapd.stop();

    expect(await status(registry, "root", "root-pw")).toBe(200);
    expect(await status(registry, "alice", "alice-pw")).toBe(200);
    expect(await status(registry, "carol", "carol-pw")).toBe(503);
  });

  it("get tokens, which are worth nothing once they have left the directory", async () => {
    const { slapd, open } = await stage();
    const key = join(await temporaryDirectory("key"), "key.pem");
    const registry = await open({}, [`  tokenserver: {key: ${key}}`]);
    const form = { grant_type: "password", username: "Alice", password: "alice-pw" };
    const asked = await token(registry, { ...form, access_type: "offline" });
    expect(asked.status).toBe(200);
    const { access_token, refresh_token } = (await asked.json()) as Record<string, string>;
    const headers = { authorization: `Bearer ${access_token}` };

    expect((await fetch(`${registry.address}/v2/`, { headers })).status).toBe(200);
    const again = await token(registry, {
      ...{ grant_type: "refresh_token", refresh_token: refresh_token ?? "" },
    });

    expect(again.status).toBe(200);
    await slapd.change(`dn: uid=alice,ou=people,${baseDn}\nchangetype: delete`);
    const registered = await open({}, [`  tokenserver: {key: ${key}}`]); // one that remembers nothing
    expect((await fetch(`${registered.address}/v2/`, { headers })).status).toBe(401);
  });

  it("keep out a registry whose settings cannot be meant", async () => {
    const { open } = await stage();
    const empty = join(await temporaryDirectory("password"), "password");
    await writeFile(empty, "\n");

    await expect(open({ filter: "(uid=a)(uid=b)" })).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await expect(open({ bindpassword: undefined, bindpasswordfile: empty })).rejects.toThrow(
      "it is empty",
    );
  });

  async function stage({ strict = false } = {}) {
    const slapd = await startSlapd({ certificate, ca: authority.ca, strict });
    const open = (changes: Record<string, unknown>, more: readonly string[] = []) => {
      const ldap = { urls: [slapd.urls.plain], ...slapd.reader, basedn: baseDn, ...changes };
      return openGuarded(["auth:", `  ldap: ${JSON.stringify(ldap)}`, ...more].join("\n"));
    };
    return { slapd, open };
  }
});

describeWith(
  "slapd",
  "slapadd",
  "skopeo",
  "openssl",
)("skopeo and an OpenLDAP server", () => {
  it("logs in with a user of the directory", async () => {
    const authority = await openAuthority();
    const certificate = await authority.issue("slapd");
    const slapd: Slapd = await startSlapd({ certificate, ca: authority.ca });
    const directory = await temporaryDirectory("skopeo");
    const ldap = { urls: [slapd.urls.plain], ...slapd.reader, basedn: baseDn };
    const key = join(directory, "key.pem");
    const { host } = await openGuarded(
      `auth:\n  ldap: ${JSON.stringify(ldap)}\n  tokenserver: {key: ${key}}`,
    );
    const login = (password: string) => {
      const where = ["--authfile", join(directory, "auth.json"), "--tls-verify=false", host];
      return run("skopeo", ["login", "-u", "alice", "-p", password, ...where]);
    };

    await expect(login("wrong")).rejects.toThrow();
    expect(await login("alice-pw")).toContain("Login Succeeded");
    await authority.close();
  });
});

async function status(
  { address }: GuardedRegistry,
  user: string,
  password: string,
  path = "/v2/",
  method = "GET",
): Promise<number> {
  const pair = Buffer.from(`${user}:${password}`).toString("base64");
  const headers = { authorization: `Basic ${pair}` };
  return (await fetch(`${address}${path}`, { method, headers })).status;
}

function token({ address }: GuardedRegistry, form: Record<string, string>): Promise<Response> {
  const body = new URLSearchParams({ service: "dewy", client_id: "test", ...form });
  return fetch(`${address}/auth/token`, { method: "POST", body });
}

const messages = ({ logger }: GuardedRegistry): string =>
  logger.lines
    .map((line) => JSON.stringify([line.message, String(line.fields.error ?? ""), line.fields]))
    .join("\n");

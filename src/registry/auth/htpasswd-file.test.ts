import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { FakeLogger } from "../../base/logger.fake.ts";
import { openBcrypt } from "./bcrypt.ts";
import { createPasswordFile, nobodysHash, parsePasswordFile } from "./htpasswd-file.ts";

const hash = "$2y$05$Geu2Z4LN0QDpUJBHvP5JVOsKOLH/XPoJBqISv1D8Aeh6LVGvjWWVC";

it("reads users, and passes over comments and empty lines", () => {
  const { hashOf, problems, cost } = parsePasswordFile(
    `# people\r\n\r\n  moby:${hash}  \r\nanna:${hash.replace("$2y$05", "$2a$12")}\n`,
  );

  expect(hashOf("moby")).toBe(hash);
  expect(hashOf("anna")).toBeDefined();
  expect(hashOf("# people")).toBeUndefined();
  expect([problems, cost]).toEqual([[], 12]);
});

it("takes the last line of a user that has two", () => {
  const other = hash.replace("$2y$", "$2b$");

  expect(parsePasswordFile(`moby:${hash}\nmoby:${other}`).hashOf("moby")).toBe(other);
});

it.each([
  ["no colon", "is not user:hash"],
  [":nobody", "is not user:hash"],
  ["moby:$apr1$abcdefgh$0123456789012345678901", "not bcrypt"],
  ["moby:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "not bcrypt"],
  ["moby:plain text", "not bcrypt"],
  [`moby:${hash.slice(0, -1)}`, "not bcrypt"],
  [`moby:${hash.replace("$05$", "$31$")}`, "has a bcrypt hash of cost 31: use 4 to 16"],
])("names the line %j, and not what is in it", (line, reason) => {
  const { hashOf, problems } = parsePasswordFile(`anna:${hash}\n\n${line}\n`);

  expect(problems).toEqual([{ line: 3, reason: expect.stringContaining(reason) }]);
  expect(JSON.stringify(problems)).not.toContain("W6ph");
  expect([hashOf("anna"), hashOf("moby")]).toEqual([hash, undefined]);
});

it("makes a file that was missing, which only its owner can read, and says the password once", async ({
  signal,
}) => {
  const { path, directory, logger, bcrypt } = await stage();

  await createPasswordFile(path, { bcrypt, logger }, { signal });
  await createPasswordFile(path, { bcrypt, logger }, { signal });

  expect(logger.messages("warn")).toEqual(["htpasswd is missing, provisioning with default user"]);
  const { user, password } = logger.lines[0]?.fields ?? {};
  expect(user).toBe("docker");
  const written = parsePasswordFile(await readFile(path, "utf8")).hashOf("docker") ?? "";
  expect(await bcrypt.verify(String(password), written, { signal })).toBe(true);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await readdir(join(directory, "auth"))).toEqual(["htpasswd"]);
});

it("replaces no file that somebody else made in the meantime, and says no password then", async ({
  signal,
}) => {
  const { path, logger, bcrypt } = await stage();

  await Promise.all([1, 2, 3].map(() => createPasswordFile(path, { bcrypt, logger }, { signal })));

  const [line, ...others] = logger.lines;
  expect(others).toEqual([]);
  const written = parsePasswordFile(await readFile(path, "utf8")).hashOf("docker") ?? "";
  expect(await bcrypt.verify(String(line?.fields.password), written, { signal })).toBe(true);
});

it("says no password when the file cannot be written", async ({ signal }) => {
  const { directory, logger, bcrypt } = await stage();
  await writeFile(join(directory, "auth"), "a file, where a directory is to be");

  const creating = createPasswordFile(
    join(directory, "auth", "sub", "htpasswd"),
    { bcrypt, logger },
    { signal },
  );

  await expect(creating).rejects.toMatchObject({ code: "UNAVAILABLE", hint: expect.any(String) });
  expect(logger.lines).toEqual([]);
});

it("has a hash for nobody that takes as long as somebody's", async ({ signal }) => {
  const { bcrypt } = await stage();

  expect(nobodysHash(5)).toHaveLength(hash.length);
  expect(parsePasswordFile(`a:${nobodysHash(5)}`).problems).toEqual([]);
  expect(await bcrypt.verify("", nobodysHash(5), { signal })).toBe(false);
});

async function stage() {
  const directory = await mkdtemp(join(tmpdir(), "dewy-htpasswd-"));
  const bcrypt = openBcrypt();
  onTestFinished(async () => {
    await bcrypt.close();
    await rm(directory, { recursive: true, force: true });
  });
  return { directory, path: join(directory, "auth", "htpasswd"), bcrypt, logger: new FakeLogger() };
}

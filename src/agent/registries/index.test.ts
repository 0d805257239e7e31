import { describe, expect, it, onTestFinished } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { openHttpClient } from "../../base/http-client.ts";
import { openReleaseRegistry } from "./index.ts";

describe("openReleaseRegistry", () => {
  it.each([
    ["img://ghcr.io/acme/app", "img://ghcr.io/acme/app"],
    ["img://10.0.0.1:5000/app", "img://10.0.0.1:5000/app"],
    ["img://localhost:5000/acme/app/", "img://localhost:5000/acme/app"],
    ["img://localhost/app", "img://localhost/app"],
    ["img://user/app", "img://docker.io/user/app"],
    ["img://nginx", "img://docker.io/library/nginx"],
    ["img://docker.io/nginx", "img://docker.io/library/nginx"],
    ["ghr://Acme/App.js/", "ghr://Acme/App.js"],
    ["s3://eu-west-1/releases", "s3://eu-west-1/releases"],
    ["s3://eu-west-1/releases/team/app/", "s3://eu-west-1/releases/team/app"],
    ["s3://eu-west-1/releases/app?region=x&endpoint=http://a.test", "s3://eu-west-1/releases/app"],
    ["gs://releases/app", "gs://releases/app"],
    ["gs://my-project/releases/team/app", "gs://my-project/releases/team/app"],
    ["gs://releases/team%2Fapp", "gs://releases/team%2Fapp"],
    ["grpc://a.test", "grpc://a.test:443"],
    ["grpc://localhost:9000?no-tls=true", "grpc://localhost:9000"],
    ["grpc://[::1]:9000?no-tls=true&artifact=a.zip", "grpc://[::1]:9000"],
    ["GHR://acme/app?pre-release=1", "ghr://acme/app"],
  ])("reads %s as %s", async (url, name) => {
    expect((await open(url)).registry.name).toBe(name);
  });

  it.each([
    ["ghr://a/b", { preRelease: false, artifact: undefined }],
    ["ghr://a/b?pre-release=true&artifact=app.zip", { preRelease: true, artifact: "app.zip" }],
    ["img://a.test/b?pre-release=on", { preRelease: true, artifact: undefined }],
    ["grpc://a.test:1?no-tls=1&artifact=a.zip", { preRelease: true, artifact: undefined }],
    ["ghr://a/b?calver=YYYY.0M", { preRelease: false, artifact: undefined, calver: "YYYY.0M" }],
    [
      "s3://x/releases?constraint=>=1.2 <2",
      { preRelease: false, artifact: undefined, constraint: ">=1.2 <2" },
    ],
    [
      "gs://releases?constraint=%5E1%20||%202",
      { preRelease: false, artifact: undefined, constraint: "^1 || 2" },
    ],
    ["img://a.test/b?constraint=~1", { preRelease: false, artifact: undefined, constraint: "~1" }],
    ["grpc://a.test?calver=YY.MM", { preRelease: true, artifact: undefined, calver: "YY.MM" }],
    ["img://a.test/b?pre-release=0&insecure=1", { preRelease: false, artifact: undefined }],
  ])("reads the rules in %s", async (url, rules) => {
    expect((await open(url)).rules).toEqual(rules);
  });

  it("takes the artifact from GITHUB_ARTIFACT where the URL names none", async () => {
    const environment = { GITHUB_TOKEN: "t", GITHUB_ARTIFACT: "env.zip" };

    expect((await open("ghr://a/b", environment)).rules.artifact).toBe("env.zip");
    expect((await open("ghr://a/b?artifact=url.zip", environment)).rules.artifact).toBe("url.zip");
  });

  it.each([
    ["", "not of the form scheme://place", "ghr://owner/repository"],
    ["acme/app", "not of the form scheme://place", "ghr://owner/repository"],
    ["ghrr://a/b", "no release registry ghrr://", "write ghr:// instead"],
    ["docker://a/b", "no release registry docker://", "write img:// instead"],
    [
      "ftp://a/b",
      "no release registry ftp://",
      "choose from: ghr://, img://, s3://, gs://, grpc://",
    ],
    ["ghr://acme", "not an owner and a repository", "ghr://owner/repository"],
    ["ghr://a/b/c", "not an owner and a repository", "ghr://owner/repository"],
    ["ghr://a/..", "not an owner and a repository", "ghr://owner/repository"],
    ["ghr://a/b?prerelease=true", "takes no prerelease", "write pre-release instead"],
    ["ghr://a/b?region=x", "takes no region", "choose from: pre-release, artifact"],
    ["ghr://a/b?pre-release=maybe", "pre-release: write true or false", undefined],
    ["ghr://a/b?artifact=", "artifact: name a file", undefined],
    ["ghr://a/b?artifact=x&artifact=y", "has artifact twice", "leave one out"],
    ["grpc://", "not a host and a port", "grpc://host:port"],
    ["grpc://a.test:9000/app", "not a host and a port", "grpc://host:port"],
    ["grpc://a.test:99999", "not a host and a port", "grpc://host:port"],
    ["grpc://a.test?pre-release=true", "takes no pre-release", "the server decides"],
    ["grpc://a.test?region=x", "takes no region", "choose from: no-tls, ca, cert, key"],
    ["grpc://a.test?ca=", "ca: name something", undefined],
    ["img://a.test", "names no repository", "img://host/repository"],
    ["img://localhost:5000", "names no repository", "img://host/repository"],
    ["img://", "names no repository", "img://host/repository"],
    ["img://a.test/app:v1", "names a tag", "img://a.test/app"],
    ["s3://releases", "not a region and a bucket", "s3://region/bucket"],
    ["s3://127.0.0.1:9000/releases", "not a region and a bucket", "s3://region/bucket"],
    ["s3://x/releases/../app", "empty part, or one of dots", "leave it out"],
    ["s3://x/releases?endpoint=a.test:9000", "endpoint: this is not an http", "AWS_ACCESS_KEY_ID"],
    ["s3://x/releases?endpoint=http://k:s3cret@a.test", "without credentials", "AWS_ACCESS_KEY_ID"],
    ["s3://x/releases?region=", "region: write a value", undefined],
    ["s3://x/releases?insecure=1", "takes no insecure", "choose from: pre-release, artifact"],
    ["gs://", "is not a bucket", "gs://bucket/prefix"],
    ["gs://a_bucket/team/app", "not a bucket of a project", "gs://a_bucket/team%2Fapp"],
    ["gs://releases/%zz", "escapes nothing", "%25"],
    ["gs://releases?endpoint=x", "takes no endpoint", "choose from: pre-release, artifact"],
    ["img://a.test:99999/app", "is not host/repository", "ghcr.io/acme/app"],
    ["img://user:s3cret@a.test/app", "takes no user or password", "leave out what is before the @"],
    ["img://s3cret@a.test/app", "takes no user or password", "leave out what is before the @"],
    ["ghr://user:s3cret@acme/app", "takes no user or password", "leave out what is before the @"],
    ["user:s3cret@a.test/app", "***@a.test/app is not of the form", "img://host/repository"],
    ["img://app@sha256:00", "names no repository", "img://host/repository"],
    ["img://a.test/App", "is not host/repository", "use lower-case letters"],
  ])("refuses %j: %s", async (url, message, hint) => {
    await expect(open(url)).rejects.toMatchObject({
      name: "ConfigError",
      message: expect.stringContaining(message),
      hint: hint === undefined ? undefined : expect.stringContaining(hint),
    });
  });

  it("names both variables when there is no token", async () => {
    await expect(open("ghr://a/b", {})).rejects.toMatchObject({
      name: "ConfigError",
      hint: expect.stringMatching(/GH_TOKEN or GITHUB_TOKEN/),
    });
  });

  it("names the variable whose token cannot be sent, and not what it holds", async () => {
    await expect(open("ghr://a/b", { GITHUB_TOKEN: "secret\r\n" })).rejects.toMatchObject({
      name: "ConfigError",
      message: "GITHUB_TOKEN: there is a space, a line end or the like in the token",
    });
  });

  it.each([["github.example.com"], ["https://user:100%@github.example.com"]])(
    "refuses %s for the URL of the API",
    async (url) => {
      const environment = { GH_TOKEN: "t", GITHUB_ENDPOINT: url };

      await expect(open("ghr://a/b", environment)).rejects.toThrow("GITHUB_ENDPOINT: ");
    },
  );
});

function open(url: string, environment: Record<string, string> = { GH_TOKEN: "t" }) {
  const http = openHttpClient({ userAgent: "dewy/test" });
  onTestFinished(() => http.close());
  return openReleaseRegistry(url, { http, clock: systemClock, environment });
}

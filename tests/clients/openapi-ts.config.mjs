// Without a base URL of its own the client asks the server that its user names.
export default {
  input: `${process.env.CLIENT}/openapi.json`,
  output: { path: `${process.env.CLIENT}/src`, module: { extension: ".js" } },
  plugins: [{ name: "@hey-api/client-fetch", baseUrl: false }, "@hey-api/typescript", "@hey-api/sdk"],
  logs: { level: "error" },
};

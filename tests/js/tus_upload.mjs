// tus-js-client as it comes, uploading one file. One JSON request on stdin, one JSON answer per line on stdout.
//   {"url", "headers", "file", "metadata", "retryDelays", "chunkSize"?, "uploadUrl"?, "duringCreation"?, "override"?}
//   -> {"event": "url", "url"} whenever it knows its URL, then {"event": "success", "url", "requests"}
//      or {"event": "error", "status", "message", "requests"}
import { createReadStream, statSync } from "node:fs"
import { Upload } from "tus-js-client"

const say = (answer) => process.stdout.write(JSON.stringify(answer) + "\n")
// Without the exit, a request that was answered before its body was sent would keep the process waiting.
const end = (answer) => process.stdout.write(JSON.stringify(answer) + "\n", () => process.exit(0))
const parts = []
for await (const part of process.stdin) parts.push(part)
const request = JSON.parse(Buffer.concat(parts).toString("utf8"))

const requests = []
const upload = new Upload(createReadStream(request.file), {
  endpoint: request.url,
  uploadUrl: request.uploadUrl ?? null,
  headers: request.headers,
  metadata: request.metadata,
  retryDelays: request.retryDelays,
  chunkSize: request.chunkSize ?? Number.POSITIVE_INFINITY,
  uploadSize: statSync(request.file).size,
  uploadDataDuringCreation: request.duringCreation ?? false,
  overridePatchMethod: request.override ?? false,
  onUploadUrlAvailable: () => say({ event: "url", url: upload.url }),
  onAfterResponse: (sent, answer) => requests.push([sent.getMethod(), answer.getStatus()]),
  onSuccess: () => end({ event: "success", url: upload.url, requests }),
  onError: (error) =>
    end({ event: "error", status: error.originalResponse?.getStatus() ?? 0, message: error.message, requests }),
})
upload.start()

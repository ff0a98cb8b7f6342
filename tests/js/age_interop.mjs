// npm age-encryption as the other side of an age file. One JSON request on stdin, one JSON answer on stdout.
//   {"do": "open", "identity": TEXT, "file": BASE64}       -> {"plaintext": BASE64}
//   {"do": "seal", "recipients": [TEXT], "plaintext": B64} -> {"file": BASE64}
//   {"do": "recipient", "identity": TEXT}                  -> {"recipient": TEXT}
import { Decrypter, Encrypter, identityToRecipient } from "age-encryption"

const bytes = (text) => new Uint8Array(Buffer.from(text, "base64"))
const base64 = (data) => Buffer.from(data).toString("base64")

async function open({ identity, file }) {
  const decrypter = new Decrypter()
  decrypter.addIdentity(identity)
  return { plaintext: base64(await decrypter.decrypt(bytes(file))) }
}

async function seal({ recipients, plaintext }) {
  const encrypter = new Encrypter()
  for (const recipient of recipients) encrypter.addRecipient(recipient)
  return { file: base64(await encrypter.encrypt(bytes(plaintext))) }
}

async function recipient({ identity }) {
  return { recipient: await identityToRecipient(identity) }
}

const parts = []
for await (const part of process.stdin) parts.push(part)
const request = JSON.parse(Buffer.concat(parts).toString("utf8"))
const answer = await { open, seal, recipient }[request.do](request)
process.stdout.write(JSON.stringify(answer))

// Node's own fetch, through the proxy that the environment names.
//
//     node fetch.cjs UNDICI URL
//
// Node reads these variables by itself from 22.21 on; before, the dispatcher of undici does.
const [undici, url] = process.argv.slice(2);
const { EnvHttpProxyAgent, setGlobalDispatcher } = require(undici);
setGlobalDispatcher(new EnvHttpProxyAgent());
fetch(url).then(
    async (answer) => process.stdout.write(await answer.text()),
    (error) => {
        console.error(error.message, error.cause && error.cause.message);
        process.exit(1);
    },
);

-- For wrk: requests drawn at random from a file whose lines are method, path and body with tabs between;
-- a single GET is what wrk sends by itself. Prints the outcome as one line of JSON.
local prepared = {}

function init(args)
  math.randomseed(1)
  for line in io.lines(args[1]) do
    local method, path, body = line:match("^(%u+)\t([^\t]+)\t(.*)$")
    local headers = body ~= "" and { ["Content-Type"] = "application/json" } or nil
    prepared[#prepared + 1] = wrk.format(method, path, headers, body ~= "" and body or nil)
  end
  if #prepared > 1 then
    request = function()
      return prepared[math.random(#prepared)]
    end
  end
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.status + errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format(
    'RESULT {"requests": %d, "seconds": %.6f, "p50": %.3f, "p99": %.3f, "failed": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000, failed))
end

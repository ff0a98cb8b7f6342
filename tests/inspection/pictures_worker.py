"""The real worker with the formats of pictures alone, whatever it is asked for: it starts in a fifth of the time.

For tests that send photos and kill things; what opens other files runs the real one.
"""

import sys

from vetrelay.inspection import worker

if __name__ == "__main__":
    worker.main([*sys.argv[1:3], "pictures"])

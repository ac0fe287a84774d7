#include "trstctl_sandbox.h"
